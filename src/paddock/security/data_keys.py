"""Keys that rows are sealed with. Each is wrapped by the master key; unwrapped ones stay in this process's memory."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from paddock.db.engine import Database
from paddock.db.tables import VaultKeyRow
from paddock.errors import Corrupt, InUse, StorageError, VaultLocked
from paddock.security.master import MasterKeys, MasterStore
from paddock.security.sealing import SealingKey, seal, unseal

ENTRIES: Final = "entries"
PROMPTS: Final = "prompts"
LOCK_WAIT_S: Final = 30.0
_LOOK_S: Final = 0.02


class DataKeys:
    """Makes, finds and unwraps them."""

    def __init__(
        self, *, database: Database, store: Callable[[], MasterStore], lock: Path, now: Callable[[], datetime]
    ) -> None:
        """`store` finds the master key's place, which may take a while; it is asked on first use, in a thread."""
        self.database = database
        self.now = now
        self._find = store
        self._found: MasterStore | None = None
        self._lock = lock
        self._opened: dict[str, SealingKey] = {}

    @asynccontextmanager
    async def masters(self) -> AsyncGenerator[MasterStore]:
        """The master key's place, held against everybody else of this home within the block. Raises InUse.

        Whoever wants an exclusive session too takes it inside, or two would wait for each other.
        """
        lock = FileLock(self._lock, timeout=0, thread_local=False)
        deadline = asyncio.get_running_loop().time() + LOCK_WAIT_S
        while True:
            try:
                self._lock.parent.mkdir(parents=True, exist_ok=True)
                lock.acquire()
                break
            except Timeout as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise InUse(
                        "Another process changes the master key.", hint="Wait for it to end, then try again."
                    ) from error
                await asyncio.sleep(_LOOK_S)
            except OSError as error:
                raise StorageError(
                    f"`{self._lock.parent}` cannot be written: {error.strerror}.",
                    hint="Make the folder writable for this user.",
                ) from error
        try:
            yield await asyncio.to_thread(self.store)
        finally:
            lock.release()

    def store(self) -> MasterStore:
        """The master key's place. Blocks: the first call looks for a keyring."""
        if self._found is None:
            self._found = self._find()
        return self._found

    async def ensure(self, purpose: str) -> None:
        """From now on there is a current key of `purpose`, and in an empty vault a master key. Raises VaultLocked."""
        async with self.database.session() as session:
            if await _current(session, purpose) is not None:
                return
        async with self.masters() as store, self.database.session(exclusive=True) as session:
            if await _current(session, purpose) is not None:
                return
            begun = (await session.scalars(select(VaultKeyRow.id).limit(1))).first() is not None
            # A key wrapped by a second master key would make two vaults of one.
            await self.check(session)
            masters = await asyncio.to_thread(store.read)
            if masters is None and begun:
                raise VaultLocked(f"The vault's master key is not in {store.where}.", hint=_HINT)
            if masters is None:
                masters = MasterKeys(SealingKey.new("mk"))
                await asyncio.to_thread(store.write, masters)
            await self.add(session, purpose, masters.current, store.kind)

    async def current(self, session: AsyncSession, purpose: str) -> SealingKey:
        """The key that new texts of `purpose` are sealed with; `ensure` has made one. Raises VaultLocked."""
        row = await _current(session, purpose)
        assert row is not None, "there is a current key of every purpose that was ever ensured"
        return await self.open(row)

    async def add(self, session: AsyncSession, purpose: str, master: SealingKey, place: str) -> SealingKey:
        """A new key, from now on the current one of `purpose`."""
        key = SealingKey.new("dk")
        session.add(await asyncio.to_thread(wrap, key, purpose, master, place, self.now()))
        await session.flush()
        self._opened[key.id] = key
        return key

    async def open(self, row: VaultKeyRow) -> SealingKey:
        """The key that `row` wraps. Raises VaultLocked."""
        key = self._opened.get(row.id)
        if key is None:
            key = self._opened[row.id] = await asyncio.to_thread(self._unwrap, row)
        return key

    async def check(self, session: AsyncSession) -> None:
        """Raises VaultLocked unless every key can be unwrapped with what the master key's place holds now."""
        for row in await session.scalars(select(VaultKeyRow)):
            await asyncio.to_thread(self._unwrap, row)

    def forget(self) -> None:
        """Unwrap anew from now on."""
        self._opened.clear()

    def _unwrap(self, row: VaultKeyRow) -> SealingKey:
        store = self.store()
        keys = store.read()
        master = keys.get(row.master_id) if keys is not None else None
        if master is None:
            kept = "" if store.kind == row.master_place else f", where it was kept in the {row.master_place}"
            found = f"{store.where} holds another one" if keys is not None else f"it is not in {store.where}"
            raise VaultLocked(f"The vault's master key `{row.master_id}` is missing: {found}{kept}.", hint=_HINT)
        return unwrapped(row, master, where=store.where)


def unwrapped(row: VaultKeyRow, master: SealingKey, *, where: str) -> SealingKey:
    """The key in `row`. Raises VaultLocked when `master` is not what it was wrapped with."""
    try:
        return SealingKey(row.id, unseal(row.wrapped, master, about=_about(row.purpose, row.id)))
    except Corrupt as error:
        raise VaultLocked(
            f"The master key in {where} is not the one that this vault was sealed with.", hint=_HINT
        ) from error


def wrap(
    key: SealingKey, purpose: str, master: SealingKey, place: str, now: datetime, *, current: bool = True
) -> VaultKeyRow:
    """A row that keeps `key`."""
    wrapped = seal(key.secret, master, about=_about(purpose, key.id))
    return VaultKeyRow(
        id=key.id,
        purpose=purpose,
        wrapped=wrapped,
        master_id=master.id,
        master_place=place,
        current=current,
        created_at=now,
    )


def rewrap(row: VaultKeyRow, key: SealingKey, master: SealingKey, place: str) -> None:
    """From now on `master` wraps the key of `row`."""
    row.wrapped = seal(key.secret, master, about=_about(row.purpose, row.id))
    row.master_id, row.master_place = master.id, place


async def _current(session: AsyncSession, purpose: str) -> VaultKeyRow | None:
    return await session.scalar(
        select(VaultKeyRow).where(VaultKeyRow.purpose == purpose, VaultKeyRow.current.is_(True))
    )


def _about(purpose: str, key_id: str) -> str:
    return f"keys/{purpose}/{key_id}"


_HINT: Final = (
    "Put the master key back where it was, or restore a backup of the vault: `paddock vault restore FILE`."
    " Nothing was changed."
)
