"""Nobody waits for a row to be written, and what could not be written is counted."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from paddock.audit import journal as journals
from paddock.audit.filters import AuditFilter
from paddock.audit.journal import Sometimes, about_prompt
from paddock.audit.ledger import Ledger
from paddock.db.engine import Database
from paddock.errors import StorageError
from tests.audit.journals import journal_on, request
from tests.library.rooms import Clock
from tests.security.vaults import Home

EVERY = AuditFilter()


async def test_several_servers_extend_one_chain(database: Database, place: str | Path, clock: Clock) -> None:
    async with await Database.open(place) as other:
        writers = [journal_on(each) for each in (database, other)]
        for number in range(100):
            writers[number % 2].add(request(clock, number))
            if number % 10 == 9:
                await asyncio.gather(*(writer.flush() for writer in writers))
    check = await Ledger(database=database, now=clock.now).verify()
    assert (check.is_sound, check.rows) == (True, 100)


async def test_what_the_queue_does_not_hold_is_counted(database: Database, clock: Clock) -> None:
    journal = journal_on(database, queue_max=10)
    for number in range(25):
        journal.add(request(clock, number))
    await journal.flush()
    check = await Ledger(database=database, now=clock.now).verify()
    assert (check.rows, check.dropped, journal.dropped) == (10, 15, 15)
    await journal.flush()
    assert (await Ledger(database=database, now=clock.now).verify()).dropped == 15


async def test_a_database_that_does_not_take_rows_gets_them_later(
    database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "EVERY_S", 0.01)
    monkeypatch.setattr(journals, "_AGAIN_S", 0.01)
    journal = journal_on(database)
    real, failures = database.session, 3

    def session(*, exclusive: bool = False) -> object:
        nonlocal failures
        if failures:
            failures -= 1
            raise StorageError("The disk is full.", hint="Make room.")
        return real(exclusive=exclusive)

    monkeypatch.setattr(database, "session", session)
    for number in range(3):
        journal.add(request(clock, number))
    writing = asyncio.create_task(journal.run())
    async with asyncio.timeout(30):
        while journal._queue:  # pyright: ignore[reportPrivateUsage]
            await asyncio.sleep(0.01)
    writing.cancel()
    check = await Ledger(database=database, now=clock.now).verify()
    assert (failures, check.rows, check.dropped) == (0, 3, 0)


async def test_prompts_are_sealed_and_nothing_of_them_is_in_the_database(home: Home, tmp_path: Path) -> None:
    words = "what nobody else should read"
    vault = home.vault()
    journal = journal_on(home.database, sealer=vault)
    journal.add(request(home.clock, 1, prompt=words))
    journal.add(request(home.clock, 2))
    await journal.close()
    second, first = (await Ledger(database=home.database, now=home.clock.now).list(EVERY)).rows
    assert second.prompt is None
    assert first.prompt is not None
    assert await home.vault().unseal_text(first.prompt, about=about_prompt(first.request_id)) == words
    async with home.database.session() as session:
        assert words not in repr((await session.execute(text("SELECT * FROM audit"))).all())
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or words.encode() not in file.read_bytes()
    await vault.rotate()
    assert (await Ledger(database=home.database, now=home.clock.now).verify()).is_sound


async def test_a_vault_that_does_not_open_costs_prompts_and_no_rows(database: Database, clock: Clock) -> None:
    journal = journal_on(database)
    journal.add(request(clock, 1, prompt="hello"))
    await journal.flush()
    (row,) = (await Ledger(database=database, now=clock.now).list(EVERY)).rows
    assert row.prompt is None


async def test_nothing_is_kept_while_it_is_switched_off(database: Database, clock: Clock) -> None:
    journal, wanted = journal_on(database), [False, True]
    sometimes = Sometimes(journal, wanted.pop)
    sometimes.add(request(clock, 1))
    sometimes.add(request(clock, 2))
    await journal.flush()
    assert len((await Ledger(database=database, now=clock.now).list(EVERY)).rows) == 1


PROGRAM = """
import asyncio, os, signal, sys
from pathlib import Path
from paddock.db.engine import Database
from tests.audit.journals import journal_on, request
from tests.library.rooms import Clock

async def main(place):
    async with await Database.open(place if "://" in place else Path(place)) as database:
        journal, clock = journal_on(database), Clock()
        asyncio.create_task(journal.run())
        for number in range(700):
            journal.add(request(clock, number))
        while journal._queue:
            await asyncio.sleep(0.01)
        for number in range(300):
            journal.add(request(clock, number))
        await asyncio.sleep(float(sys.argv[2]))
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize("after_s", ["0", "0.5"])
async def test_a_killed_server_loses_the_last_moment_and_the_chain_holds(
    place: str | Path, clock: Clock, after_s: str
) -> None:
    """What was written stays, and whether the last batch did, nothing is half there."""
    killed = subprocess.run([sys.executable, "-c", PROGRAM, str(place), after_s], timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL
    async with await Database.open(place) as database:
        check = await Ledger(database=database, now=clock.now).verify()
        assert check.is_sound
        assert check.rows in (700, 1000)
        journal = journal_on(database)
        journal.add(request(clock))
        await journal.flush()
        assert (await Ledger(database=database, now=clock.now).verify()).is_sound
