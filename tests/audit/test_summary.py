"""What many rows come to is added up by the database; a file and a server must add alike."""

from dataclasses import replace
from datetime import timedelta

import pytest

from paddock.audit.filters import AuditFilter
from paddock.audit.summary import GROUPS_MAX, NOTHING, POINTS_MAX, Summaries, step_for
from paddock.db.engine import Database
from tests.audit.journals import journal_on, request, written
from tests.library.rooms import Clock


@pytest.fixture
def summaries(database: Database, clock: Clock) -> Summaries:
    return Summaries(database=database, now=clock.now)


async def test_without_a_row_there_is_nothing_to_add(summaries: Summaries) -> None:
    found = await summaries.of(AuditFilter())
    assert (found.totals, found.groups, found.points) == (NOTHING, (), ())
    assert (found.first_token_median_us, found.first_token_slow_us) == (None, None)
    assert (await summaries.names(AuditFilter())).models == ()


async def test_rows_are_added_up_by_time_and_by_who_answered(
    summaries: Summaries, database: Database, clock: Clock
) -> None:
    """Two hours, two models, one failure, one model without a price of its own."""
    began = clock.now()
    await written(database, clock, 3)
    clock.advance(7200)
    await written(database, clock, 1, model="gpt-9", prompt_tokens=100, cached_tokens=40, first_token_us=2000)
    await written(database, clock, 1, model="", status=503, error_code="overloaded", first_token_us=None)
    found = await summaries.of(AuditFilter(since=began))
    assert [(group.name, group.totals.requests) for group in found.groups] == [("pony", 3), ("", 1), ("gpt-9", 1)]
    gpt = found.groups[2].totals
    assert gpt == replace(
        NOTHING,
        requests=1,
        prompt_tokens=100,
        cached_tokens=40,
        completion_tokens=5,
        cost_nanos=1000 * (60 * 10 + 40 + 5 * 30),
        priced=1,
        first_token_us=2000,
        first_tokens=1,
        duration_us=1234,
    )
    assert (found.totals.requests, found.totals.failed, found.totals.first_tokens) == (5, 1, 4)
    assert found.totals.prompt_tokens == 3 * 10 + 100 + 10
    assert (found.first_token_median_us, found.first_token_slow_us) == (567, 2000)
    assert found.step_s == 300
    assert [(point.name, point.totals.requests) for point in found.points] == [("pony", 3), ("", 1), ("gpt-9", 1)]
    assert all(point.at.timestamp() % 300 == 0 and point.at <= clock.now() for point in found.points)
    assert found.points[1].at - found.points[0].at >= timedelta(seconds=6900)


async def test_more_groups_than_colours_become_one(summaries: Summaries, database: Database, clock: Clock) -> None:
    for number in range(GROUPS_MAX + 3):
        await written(database, clock, 2 if number else 5, caller=f"key:{number:02}")
    found = await summaries.of(AuditFilter(), by="caller")
    assert [group.name for group in found.groups] == [f"key:{number:02}" for number in range(GROUPS_MAX)] + [None]
    assert found.groups[-1].totals.requests == 6
    assert sum(group.totals.requests for group in found.groups) == found.totals.requests


async def test_what_does_not_fit_is_not_added(summaries: Summaries, database: Database, clock: Clock) -> None:
    await written(database, clock, 2, provider="local", route="exact")
    await written(database, clock, 3, provider="other", route="rule", rule="to the cloud")
    await written(database, clock, 4, status=429, error_code="over_limit")
    assert (await summaries.of(AuditFilter(provider="other"))).totals.requests == 3
    assert (await summaries.of(AuditFilter(route="to the cloud"))).totals.requests == 3
    assert (await summaries.of(AuditFilter(failed=True))).totals.requests == 4
    assert (await summaries.of(AuditFilter(status=200, model="pony"))).totals.requests == 5
    names = await summaries.names(AuditFilter())
    assert names.providers == ("local", "other")
    assert names.routes == ("exact", "rule", "to the cloud")
    assert (names.callers, names.statuses) == (("key:0123",), (200, 429))


async def test_a_row_without_a_price_is_told_from_one_that_costs_nothing(
    summaries: Summaries, database: Database, clock: Clock
) -> None:
    journal = journal_on(database)
    journal.add(request(clock, 1, model="pony"))
    await journal.flush()
    totals = (await summaries.of(AuditFilter())).totals
    assert (totals.cost_nanos, totals.priced) == (0, 1)


@pytest.mark.parametrize("hours", [0, 1, 24, 24 * 7, 24 * 90, 24 * 365 * 20])
def test_no_time_is_cut_into_more_steps_than_a_chart_holds(hours: int) -> None:
    assert hours * 3600 / step_for(hours * 3600) <= POINTS_MAX
