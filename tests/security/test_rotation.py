"""New keys for old ones: nothing is lost, wherever it breaks off and whoever looks meanwhile."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from paddock.db.engine import Database
from paddock.db.tables import VaultEntryRow, VaultKeyRow
from paddock.errors import NotFound, StorageError
from paddock.security import rotation
from tests.library.rooms import Clock
from tests.security.vaults import OTHER, SECRET, FailingDisk, Home, Killed, put, value

FAULTS = [OSError(28, "No space left on device"), Killed()]
NAMES = [f"k{number}" for number in range(2)]


async def filled(home: Home) -> None:
    vault = home.vault()
    for name in NAMES:
        await put(vault, name, f"{OTHER}-{name}")
        await put(vault, name, f"{SECRET}-{name}")


async def all_readable(home: Home) -> bool:
    """Whether a process that starts now reads every secret, and what each was before."""
    vault = home.vault()
    found = [await value(vault, name) == f"{SECRET}-{name}" for name in NAMES]
    return all(found) and all(entry.has_previous for entry in await vault.list() if entry.name in NAMES)


async def is_fresh(home: Home, old_master: str, old_keys: set[str]) -> bool:
    """Whether nothing hangs on an old key any more."""
    async with home.database.session() as session:
        rows = (await session.scalars(select(VaultKeyRow))).all()
        used = set(await session.scalars(select(VaultEntryRow.key_id)))
    masters = [key_id for key_id, _ in json.loads(home.key_file.read_text())["keys"]]
    return (
        len(masters) == 1
        and old_master not in masters
        and {row.master_id for row in rows} == set(masters)
        and not used & old_keys
        and not {row.id for row in rows} & old_keys
    )


async def keys_of(home: Home) -> tuple[str, set[str]]:
    async with home.database.session() as session:
        rows = (await session.scalars(select(VaultKeyRow))).all()
    return rows[0].master_id, {row.id for row in rows}


async def test_all_keys_are_new_and_all_secrets_are_there(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 1)
    await filled(home)
    master, keys = await keys_of(home)
    done = await home.vault().rotate()
    assert (done.keys, done.entries) == (1, len(NAMES))
    assert await all_readable(home)
    assert await is_fresh(home, master, keys)
    assert (await home.vault().status()).is_rotating is False
    assert await home.vault().resume() is None


async def test_an_empty_vault_has_nothing_to_change(home: Home) -> None:
    with pytest.raises(NotFound, match="empty"):
        await home.vault().rotate()
    assert await home.vault().resume() is None


async def test_reading_and_writing_goes_on_meanwhile(home: Home, place: str | Path) -> None:
    """Two processes read and write while a third changes keys several times: no read fails, no write is lost."""
    await filled(home)
    others = [await Database.open(place) for _ in range(2)]
    ended = asyncio.Event()
    counts = [0, 0]

    async def work(number: int) -> None:
        vault = Home(home.folder, others[number], home.clock).vault()
        while not ended.is_set():
            assert await value(vault, NAMES[0]) == f"{SECRET}-{NAMES[0]}"
            counts[number] += 1
            await put(vault, f"own{number}", f"{SECRET}-{counts[number]}")
            assert await value(vault, f"own{number}") == f"{SECRET}-{counts[number]}"

    workers = [asyncio.create_task(work(number)) for number in range(2)]
    for _ in range(3):
        await home.vault().rotate()
    ended.set()
    await asyncio.gather(*workers)
    assert all(counts)
    assert await all_readable(home)
    assert [await value(home.vault(), f"own{n}") for n in range(2)] == [f"{SECRET}-{count}" for count in counts]
    for database in others:
        await database.close()


class Breaker:
    """Kills this process before commit number `at`, or after it."""

    def __init__(self, database: Database, at: int, *, after: bool) -> None:
        self._engine = database.engine.sync_engine
        self._left = at
        self._after = after

    def __enter__(self) -> "Breaker":
        event.listen(self._engine, "commit", self._count)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "commit", self._count)

    @property
    def struck(self) -> bool:
        return self._left <= 0

    def _count(self, connection: Any) -> None:
        self._left -= 1
        if self._left == 0:
            if self._after:
                connection.connection.commit()
            raise Killed


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_killed_around_any_commit_it_goes_on_where_it_was(
    home: Home, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every commit of a rotation in turn; the next process reads all, and finishes the work."""
    monkeypatch.setattr(rotation, "BATCH", 1)
    await filled(home)
    at = 0
    while True:
        at += 1
        master, keys = await keys_of(home)
        with Breaker(home.database, at, after=after) as breaker:
            with contextlib.suppress(Killed):
                await home.vault().rotate()
            if not breaker.struck:
                break
        assert await all_readable(home), f"commit {at}"
        await put(home.vault(), "meanwhile")
        if await home.vault().resume() is not None:
            assert await is_fresh(home, master, keys), f"commit {at}"
        assert await all_readable(home)
        assert await home.vault().resume() is None
    assert at > 5


@pytest.mark.parametrize("error", FAULTS, ids=["full", "killed"])
async def test_a_master_key_that_cannot_be_written_leaves_the_old_one(home: Home, error: BaseException) -> None:
    """Every write, sync and rename of the key's file in turn, failing or the last that the process does."""
    await filled(home)
    at = 0
    while True:
        at += 1
        master, keys = await keys_of(home)
        home.disk = disk = FailingDisk(at, error)
        with contextlib.suppress(StorageError, Killed):
            await home.vault().rotate()
        struck = disk.left <= 0
        home.disk = FailingDisk(0, error)
        assert await all_readable(home), f"call {at}"
        assert json.loads(home.key_file.read_text())["keys"]
        if not struck:
            break
        if await home.vault().resume() is not None:
            assert await is_fresh(home, master, keys)
            assert await all_readable(home), f"call {at}"
    assert at > 8
    assert sorted(file.name for file in home.key_file.parent.iterdir() if file.name.endswith(".half")) == []


@pytest.mark.parametrize("error", FAULTS, ids=["full", "killed"])
async def test_the_first_master_key_is_there_or_nothing_is(home: Home, clock: Clock, error: BaseException) -> None:
    """A secret is never sealed with a key that is on no disk."""
    at = 0
    while True:
        at += 1
        home.disk = disk = FailingDisk(at, error)
        with contextlib.suppress(StorageError, Killed):
            await put(home.vault(), f"k{at}")
        struck = disk.left <= 0
        home.disk = FailingDisk(0, error)
        for entry in await home.vault().list():
            assert await value(home.vault(), entry.name) == SECRET
        if not struck:
            break
    assert (await home.vault().status()).is_open
    assert at > 1


async def test_prompts_that_were_sealed_before_stay_readable(home: Home) -> None:
    """Records are never changed, so the keys that they were sealed with are wrapped anew and stay."""
    vault = home.vault()
    await put(vault, "openai")
    (sealed,) = await vault.seal_texts([("hello", "audit/1")])
    await vault.rotate()
    await home.vault().rotate()
    assert await home.vault().unseal_text(sealed, about="audit/1") == "hello"
    (again,) = await home.vault().seal_texts([("hello", "audit/1")])
    assert again.partition(".")[0] != sealed.partition(".")[0], "new ones get the new key"
