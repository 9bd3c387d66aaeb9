"""`paddock route replay`: what other rules or profiles would have done to the requests of a day."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter

from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.cli.reading import read_text
from paddock.cli.screen import Screen
from paddock.cli.tables import Cell, Column, show_table
from paddock.cli.times import point_in_time
from paddock.errors import UsageError
from paddock.gateway.replay import Answerer, Replay, ReplayGroup
from paddock.gateway.rule_book import drafted, read_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.config.schema import Routing
    from paddock.gateway.rules import Rule

_NO_FLAGS = Flags()
_NANOS = 1e9


async def replay(
    *,
    rules: Annotated[
        Path | None,
        Parameter(
            help="Rules as `paddock route export` writes them; they stand in the place of all. `-` is stdin.",
            allow_leading_hyphen=True,
        ),
    ] = None,
    profiles: Annotated[
        Path | None, Parameter(help="A settings file; its `model.routing` stands in the place of yours.")
    ] = None,
    since: Annotated[
        str | None, Parameter(help="From then on: a date, a time, or how long ago; a day when left out.")
    ] = None,
    until: Annotated[str | None, Parameter(help="Up to then, in the same ways; now when left out.")] = None,
    limit: Annotated[int, Parameter(help="How many requests to name one by one.")] = 20,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Say which requests of the audit would go elsewhere under other rules or profiles. Nobody is asked, nothing changes.

    What was asked is not kept: where the text, pictures or tools, or an unknown length would decide, that is said.
    """
    from paddock.config.sources import settings_in
    from paddock.gateway.replaying import LISTED_MAX

    if not 0 <= limit <= LISTED_MAX:
        raise UsageError(f"{limit} requests cannot be named.", hint=f"Ask for 0 to {LISTED_MAX}.")
    draft = None if rules is None else read_rules(read_text(desk, rules))
    routing = None
    if profiles is not None:
        routing = settings_in(desk.invocation.workspace / profiles, desk.config.paths).model.routing
    start, end = point_in_time(desk, since), point_in_time(desk, until)
    found = await _replayed(desk, draft, routing, start, end, limit)
    desk.answer(found, lambda screen: _show(screen, found))


async def _replayed(
    desk: Desk,
    rules: "Sequence[Rule] | None",
    routing: "Routing | None",
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> Replay:
    """By the server of this home when one runs: it knows how fast models are, and what providers list."""
    if desk.server is not None:
        from paddock.client.opening import connected

        body: dict[str, Any] = {
            "rules": None if rules is None else msgspec.to_builtins(rules),
            "routing": None if routing is None else routing.model_dump(mode="json"),
            "since": None if since is None else since.isoformat(),
            "until": None if until is None else until.isoformat(),
            "limit": limit,
        }
        async with connected(desk.server) as connection:
            return await connection.post("/admin/route/replay", Replay, body)
    from paddock.app import open_routing
    from paddock.gateway.replaying import Draft, Period

    async with open_routing(desk.config, desk.invocation.world) as rooms:
        return await rooms.replayer.replay(
            Draft(rules=None if rules is None else drafted(rules), routing=routing),
            Period(since=since, until=until, listed=limit),
        )


def _show(screen: Screen, found: Replay) -> None:
    screen.line(
        f"Of {found.requests} requests from {found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M}: "
        f"{found.same} stay, {found.moved} go elsewhere, {found.nobody} nowhere, {found.undecided} are undecided."
    )
    if not found.is_whole:
        screen.line("There were more; these are the latest.")
    if found.cost.requests or found.cost.unknown:
        cost = found.cost
        change = (cost.after_nanos - cost.before_nanos) / _NANOS
        screen.line(
            f"Cost of {cost.requests} that move: {cost.before_nanos / _NANOS:.6f} then, {cost.after_nanos / _NANOS:.6f} "
            f"({change:+.6f}) by the same tokens; of {cost.unknown} a price is not known."
        )
    if found.groups:
        screen.line()
        rows: list[Sequence[Cell]] = [_group(each) for each in found.groups]
        columns = (
            Column(title="count", right=True),
            Column(title="asked"),
            Column(title="went to"),
            Column(title="goes to", wrap=True),
            Column(title="", wrap=True, rank=1),
        )
        show_table(screen, columns, rows)
    if found.listed:
        screen.line()
        for one in found.listed:
            where = _place(one.outcome.after) if one.outcome.after else one.outcome.fate.value
            screen.line(f"{one.seq}  {one.at:%Y-%m-%d %H:%M:%S}  {one.request_id}  {one.asked_model} -> {where}")


def _group(one: ReplayGroup) -> "list[Cell]":
    outcome = one.outcome
    goes = f"{_place(outcome.after)} ({outcome.route})" if outcome.after is not None else outcome.fate.value
    notes = [outcome.reason, "so it would without them" if one.also_now else ""]
    return [str(one.count), one.asked_model, _place(one.before), goes, "; ".join(filter(None, notes))]


def _place(seat: Answerer | None) -> str:
    return "nobody" if seat is None else f"{seat.model} of {seat.provider}"


__all__ = ["Replay", "replay"]
