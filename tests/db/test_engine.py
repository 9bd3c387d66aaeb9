"""One promise, two databases: what a session wrote is there, what it broke off is not."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from paddock.db.engine import Database
from paddock.db.tables import AliasRow, HubCacheRow
from paddock.errors import StorageError

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def alias(name: str, target: str = "pony") -> AliasRow:
    return AliasRow(alias=name, target=target, created_at=NOW)


async def count(database: Database) -> int:
    async with database.session() as session:
        return await session.scalar(select(func.count()).select_from(AliasRow)) or 0


async def test_a_row_is_there_after_the_database_is_opened_again(place: str | Path) -> None:
    async with await Database.open(place) as database:
        assert database.notices == ()
        async with database.session() as session:
            session.add(alias("p"))
    async with await Database.open(place) as database, database.session() as session:
        row = await session.get(AliasRow, "p")
        assert row is not None
        assert row.target == "pony"


async def test_rows_can_be_read_after_their_session(place: str | Path) -> None:
    """Callers turn rows into records outside the session; a row that loads itself anew there would fail."""
    async with await Database.open(place) as database:
        async with database.session() as session:
            row = alias("p")
            session.add(row)
        assert row.created_at == NOW


async def test_a_session_that_raises_leaves_nothing(place: str | Path) -> None:
    async with await Database.open(place) as database:

        async def write_and_fail() -> None:
            async with database.session() as session:
                session.add(alias("p"))
                await session.flush()
                raise LookupError

        with pytest.raises(LookupError):
            await write_and_fail()
        assert await count(database) == 0


async def test_a_cancelled_session_leaves_nothing(place: str | Path) -> None:
    """Ctrl-C in the middle of a write is a cancellation."""
    async with await Database.open(place) as database:
        started = asyncio.Event()

        async def write() -> None:
            async with database.session() as session:
                session.add(alias("p"))
                await session.flush()
                started.set()
                await asyncio.sleep(60)

        task = asyncio.create_task(write())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await count(database) == 0


async def test_times_come_back_in_utc(place: str | Path) -> None:
    """SQLite forgets zones, PostgreSQL answers in the server's; both must give the moment that went in."""
    berlin = NOW.astimezone(timezone(timedelta(hours=1)))
    async with await Database.open(place) as database:
        async with database.session() as session:
            session.add(HubCacheRow(key="k", payload={"a": [1, None, "ü"]}, fetched_at=berlin))
        async with database.session() as session:
            row = await session.get(HubCacheRow, "k")
        assert row is not None
        assert (row.fetched_at, row.fetched_at.tzinfo) == (NOW, UTC)
        assert row.payload == {"a": [1, None, "ü"]}


async def test_our_own_mistakes_are_not_dressed_up_as_the_disks(place: str | Path) -> None:
    async with await Database.open(place) as database:

        async def run(statement: str) -> None:
            async with database.session() as session:
                await session.execute(text(statement))

        with pytest.raises(IntegrityError):
            await run("INSERT INTO aliases (alias) VALUES ('p')")
        with pytest.raises((OperationalError, ProgrammingError)):
            await run("SELECT * FROM nowhere")


async def test_exclusive_sessions_decide_one_after_the_other(place: str | Path) -> None:
    """Two pulls that each see room for themselves alone would overflow the disk together."""

    async def take_if_free(database: Database, name: str) -> None:
        async with database.session(exclusive=True) as session:
            taken = await session.scalar(select(func.count()).select_from(AliasRow))
            await asyncio.sleep(0.05)
            if not taken:
                session.add(alias(name))

    async with await Database.open(place) as one, await Database.open(place) as other:
        await asyncio.gather(*(take_if_free(database, f"{n}") for n, database in enumerate([one, other, one, other])))
        assert await count(one) == 1


async def test_many_writers_at_once_all_succeed(place: str | Path) -> None:
    async with await Database.open(place) as database:

        async def write(number: int) -> None:
            async with database.session() as session:
                session.add(alias(f"{number}"))

        await asyncio.gather(*(write(number) for number in range(40)))
        assert await count(database) == 40


async def test_two_that_open_a_fresh_database_at_once_both_succeed(place: str | Path) -> None:
    databases = await asyncio.gather(*(Database.open(place) for _ in range(4)))
    assert [database.notices for database in databases] == [()] * 4
    for database in databases:
        assert await count(database) == 0
        await database.close()


async def test_a_newer_schema_is_refused_and_left_alone(place: str | Path) -> None:
    async with await Database.open(place) as database, database.session() as session:
        session.add(alias("p"))
        await session.execute(text("UPDATE paddock_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match="newer Paddock") as caught:
        await Database.open(place)
    assert "paddock update" in caught.value.hint


async def test_tables_of_another_program_are_refused(place: str | Path) -> None:
    async with await Database.open(place) as database, database.session() as session:
        await session.execute(text("DROP TABLE paddock_version"))
    with pytest.raises(StorageError, match="holds tables that are not Paddock's: aliases"):
        await Database.open(place)


async def test_an_address_that_is_none_is_a_storage_error() -> None:
    with pytest.raises(StorageError) as caught:
        await Database.open("not an address")
    assert "postgresql://" in caught.value.hint


async def test_a_sqlite_address_is_a_file(tmp_path: Path) -> None:
    async with await Database.open(f"sqlite:///{tmp_path}/own.db") as database:
        assert database.is_sqlite
    assert (tmp_path / "own.db").is_file()


async def test_a_full_disk_is_a_storage_error(tmp_path: Path) -> None:
    async with await Database.open(tmp_path / "paddock.db") as database:

        async def fill() -> None:
            async with database.session() as session:
                await session.execute(text("PRAGMA max_page_count = 1"))  # SQLite's own way to run out of space
                session.add_all([alias(f"{number}", "x" * 500) for number in range(1000)])

        with pytest.raises(StorageError, match="is full") as caught:
            await fill()
        assert "paddock df" in caught.value.hint
        assert await count(database) == 0


async def test_a_write_that_waits_too_long_for_another_is_a_storage_error(tmp_path: Path) -> None:
    path = tmp_path / "paddock.db"

    async def write(database: Database) -> None:
        async with database.session() as session:
            session.add(alias("p"))

    async with (
        await Database.open(path, busy_timeout_s=0.1) as database,
        await Database.open(path) as holder,
        holder.session(exclusive=True),
    ):
        assert await count(database) == 0  # readers never wait
        with pytest.raises(StorageError, match="locked by another program"):
            await write(database)


async def test_a_file_that_is_damaged_while_open_is_a_storage_error_and_repaired_by_the_next_start(
    tmp_path: Path,
) -> None:
    path = tmp_path / "paddock.db"
    async with await Database.open(path):
        pass
    async with await Database.open(path) as database:
        path.write_bytes(b"this is no database\n" * 1000)
        with pytest.raises(StorageError, match="is damaged") as caught:
            await count(database)
        assert "again" in caught.value.hint
    async with await Database.open(path) as database:
        assert "moved to" in database.notices[0]
        assert await count(database) == 0
