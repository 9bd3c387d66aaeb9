"""One byte, one row, one pair: whatever was changed afterwards is found, and what was let go in time is not missed."""

import csv
import io
import json
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, text, update

from paddock.audit.filters import AuditFilter
from paddock.audit.ledger import Ledger
from paddock.audit.record import COLUMNS, FIRST
from paddock.db.engine import Database
from paddock.db.tables import AuditRowRow, AuditStateRow
from paddock.errors import UsageError
from tests.audit.journals import journal_on, request, written
from tests.library.rooms import Clock

EVERY = AuditFilter()


@pytest.fixture
def ledger(database: Database, clock: Clock) -> Ledger:
    return Ledger(database=database, now=clock.now)


async def run(database: Database, *statements: object) -> None:
    async with database.session() as session:
        for statement in statements:
            await session.execute(statement)  # type: ignore[call-overload]


async def found(ledger: Ledger) -> list[tuple[int, str]]:
    check = await ledger.verify()
    assert check.is_sound == (not check.problems)
    return [(problem.seq, problem.what) for problem in check.problems]


async def test_an_untouched_chain_is_sound(ledger: Ledger, database: Database, clock: Clock) -> None:
    empty = await ledger.verify()
    assert (empty.is_sound, empty.rows, empty.head_hash) == (True, 0, FIRST)
    await written(database, clock, 5)
    await written(database, clock, 3, asked_model="ümläut \x00\n", error_code="no_room", first_token_us=None)
    check = await ledger.verify()
    assert (check.is_sound, check.rows, check.first_seq, check.head_seq) == (True, 8, 1, 8)
    assert (await ledger.verify(expected=(8, check.head_hash))).is_sound


async def test_one_changed_value_in_any_column_is_found(ledger: Ledger, database: Database, clock: Clock) -> None:
    await written(database, clock, 4)
    async with database.session() as session:
        row = await session.get_one(AuditRowRow, 2)
        values = {name: getattr(row, name) for name in COLUMNS}
    for name, value in values.items():
        if name == "seq":
            continue
        changed = {
            int: lambda old: old + 1,
            str: lambda old: ("x" if not old.startswith("x") else "y") + old[1:],
            type(None): lambda _: 7,
        }.get(type(value), lambda old: old + timedelta(microseconds=1))(value)
        if name == "prompt":
            changed = "a text"
        await run(database, update(AuditRowRow).where(AuditRowRow.seq == 2).values({name: changed}))
        problems = await found(ledger)
        assert problems, name
        assert problems[0][0] == 2, name
        await run(database, update(AuditRowRow).where(AuditRowRow.seq == 2).values({name: value}))
    assert await found(ledger) == []


async def test_rows_that_were_taken_away_are_missed(ledger: Ledger, database: Database, clock: Clock) -> None:
    """In the middle, at the beginning, at the end."""
    await written(database, clock, 6)
    await run(database, delete(AuditRowRow).where(AuditRowRow.seq == 3))
    assert await found(ledger) == [(3, "1 rows are missing before row 4")]
    await run(database, delete(AuditRowRow).where(AuditRowRow.seq == 1))
    assert (await found(ledger))[0] == (1, "1 rows are missing before row 2")
    await run(database, delete(AuditRowRow).where(AuditRowRow.seq >= 5))
    assert (5, "the last 2 rows are missing") in await found(ledger)


async def test_a_swapped_pair_is_found(ledger: Ledger, database: Database, clock: Clock) -> None:
    await written(database, clock, 4)
    await run(
        database,
        text("UPDATE audit SET seq = 99 WHERE seq = 2"),
        text("UPDATE audit SET seq = 2 WHERE seq = 3"),
        text("UPDATE audit SET seq = 3 WHERE seq = 99"),
    )
    assert [seq for seq, _ in await found(ledger)] == [2, 3, 4]


async def test_a_forged_end_is_found(ledger: Ledger, database: Database, clock: Clock) -> None:
    """Rows after the last; a tail that was cut together with the note of it is found by whoever noted a hash."""
    await written(database, clock, 4)
    noted = await ledger.verify()
    async with database.session() as session:
        third = await session.get_one(AuditRowRow, 3)
    await run(
        database,
        delete(AuditRowRow).where(AuditRowRow.seq == 4),
        update(AuditStateRow).values(head_seq=3, head_hash=third.hash),
    )
    assert (await ledger.verify()).is_sound, "nothing in the database tells"
    assert not (await ledger.verify(expected=(noted.head_seq, noted.head_hash))).is_sound
    assert not (await ledger.verify(expected=(3, "0" * 64))).is_sound
    await run(database, update(AuditStateRow).values(head_seq=2))
    assert (3, "there are rows after the one that was written last") in await found(ledger)


async def test_what_was_let_go_in_time_is_not_missed(ledger: Ledger, database: Database, clock: Clock) -> None:
    assert await ledger.prune(1) == 0
    await written(database, clock, 5)
    clock.advance(3 * 86400)
    await written(database, clock, 3)
    assert await ledger.prune(2) == 5
    assert await ledger.prune(2) == 0
    check = await ledger.verify()
    assert (check.is_sound, check.rows, check.first_seq, check.pruned) == (True, 3, 6, 5)
    await run(database, delete(AuditRowRow).where(AuditRowRow.seq == 6))
    assert not (await ledger.verify()).is_sound
    clock.advance(30 * 86400)
    assert await ledger.prune(2) > 0
    await written(database, clock, 2)
    check = await ledger.verify()
    assert (check.is_sound, check.first_seq) == (True, 9), "also when all of them went"


async def test_rows_are_listed_by_pages_and_filters(ledger: Ledger, database: Database, clock: Clock) -> None:
    await written(database, clock, 5)
    later = clock.now() + timedelta(microseconds=1)
    await written(
        database, clock, 2, caller="user:ada", asked_model="auto", model="qwen", provider="openai", status=503
    )
    page = await ledger.list(EVERY, limit=3)
    assert ([row.seq for row in page.rows], page.next) == ([7, 6, 5], 5)
    rest = await ledger.list(EVERY, limit=10, before=page.next)
    assert ([row.seq for row in rest.rows], rest.next) == ([4, 3, 2, 1], None)
    for wanted, count in (
        (AuditFilter(since=later), 2),
        (AuditFilter(until=later), 5),
        (AuditFilter(caller="user:ada"), 2),
        (AuditFilter(model="auto"), 2),
        (AuditFilter(model="qwen"), 2),
        (AuditFilter(provider="openai"), 2),
        (AuditFilter(status=503), 2),
        (AuditFilter(failed=True), 2),
        (AuditFilter(failed=True, caller="key:0123"), 0),
    ):
        assert len((await ledger.list(wanted)).rows) == count, wanted
    with pytest.raises(UsageError):
        await ledger.list(EVERY, limit=0)


async def test_rows_leave_as_json_lines_and_csv(ledger: Ledger, database: Database, clock: Clock) -> None:
    """What somebody typed as a model's name must not become a formula in a spreadsheet."""
    await written(database, clock, 2)
    journal = journal_on(database)
    journal.add(request(clock, 3, asked_model='=HYPERLINK("http://evil")', model="gpt-5", cached_tokens=4))
    await journal.flush()
    lines = b"".join([piece async for piece in ledger.export(EVERY, "jsonl")]).splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["seq"] for row in rows] == [1, 2, 3]
    assert [row["cost_nanos"] for row in rows] == [0, 0, 6 * 10_000 + 4 * 1000 + 5 * 30_000]
    assert rows[2]["asked_model"] == '=HYPERLINK("http://evil")'
    table = list(csv.DictReader(io.StringIO(b"".join([piece async for piece in ledger.export(EVERY, "csv")]).decode())))
    assert list(table[0]) == list(COLUMNS)
    assert table[2]["asked_model"].startswith("'=")
    assert table[0]["at"].endswith("+00:00")
    async with database.session() as session:
        assert len((await session.scalars(select(AuditRowRow.seq))).all()) == 3
