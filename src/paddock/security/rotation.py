"""New keys for old ones, while everything goes on.

    1  the master key's place holds the new key and the old ones
    2  one transaction: every data key is wrapped anew, and each purpose gets a new one
    3  some entries at a time are sealed with the new data key
    4  data keys that no entry is sealed with go, then the old master keys

After each step all that was readable still is, whichever processes look; so it may be broken off anywhere, and whoever
comes next goes on with what is left. Keys of recorded prompts are wrapped anew and stay: those records are never changed.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from sqlalchemy import CursorResult, delete, select, update

from paddock.db.tables import VaultEntryRow, VaultKeyRow
from paddock.errors import NotFound, VaultLocked
from paddock.security.data_keys import ENTRIES, DataKeys, rewrap, unwrapped
from paddock.security.master import MasterKeys, MasterStore
from paddock.security.sealing import SealingKey, seal, unseal

BATCH: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What was done."""

    master_id: str
    keys: int  # wrapped anew
    entries: int  # sealed anew


def about_entry(name: str) -> str:
    """What the seal of an entry says."""
    return f"entries/{name}"


class Rotation:
    """Changes keys. One process of a home at a time; another one waits."""

    def __init__(self, keys: DataKeys) -> None:
        self._keys = keys
        self._database = keys.database

    async def rotate(self) -> Rotated:
        """Change all keys. Raises VaultLocked, with nothing changed, when one of them cannot be unwrapped."""
        async with self._keys.masters() as store:
            masters = await asyncio.to_thread(store.read)
            async with self._database.session() as session:
                await self._keys.check(session)
                begun = (await session.scalars(select(VaultKeyRow.id).limit(1))).first() is not None
            if masters is None or not begun:
                raise NotFound("The vault is empty: there is no key to change.", hint="Put a secret in first.")
            await self._finish(store, masters)
            masters = masters.settled().changed_to(SealingKey.new("mk"))
            await asyncio.to_thread(store.write, masters)
            return await self._finish(store, masters)

    async def resume(self) -> Rotated | None:
        """Go on with what was broken off; None when there is nothing. Raises VaultLocked."""
        if not await self.is_unfinished():
            return None
        async with self._keys.masters() as store:
            masters = await asyncio.to_thread(store.read)
            return None if masters is None else await self._finish(store, masters)

    async def is_unfinished(self) -> bool:
        """Whether a rotation was broken off."""
        async with self._database.session() as session:
            rows = (await session.scalars(select(VaultKeyRow))).all()
        if not rows:
            return False
        if any(row.purpose == ENTRIES and not row.current for row in rows):
            return True
        masters = await asyncio.to_thread(lambda: self._keys.store().read())
        return masters is not None and bool(masters.older)

    async def _finish(self, store: MasterStore, masters: MasterKeys) -> Rotated:
        keys = await self._rewrap(masters, store)
        entries = 0
        while done := await self._reseal():
            entries += done
        await self._drop_unused()
        if masters.older:
            await asyncio.to_thread(store.write, masters.settled())
        await self._database.forget_deleted()
        return Rotated(master_id=masters.current.id, keys=keys, entries=entries)

    async def _rewrap(self, masters: MasterKeys, store: MasterStore) -> int:
        """Every data key under the newest master key; with any that was not, new data keys."""
        async with self._database.session(exclusive=True) as session:
            rows = (await session.scalars(select(VaultKeyRow).where(VaultKeyRow.master_id != masters.current.id))).all()
            for row in rows:
                master = masters.get(row.master_id)
                if master is None:
                    raise VaultLocked(
                        f"A key of the vault is wrapped by `{row.master_id}`, which is not in {store.where}.",
                        hint="Restore a backup of the vault that has it: `paddock vault restore FILE`.",
                    )
                key = await asyncio.to_thread(unwrapped, row, master, where=store.where)
                await asyncio.to_thread(rewrap, row, key, masters.current, store.kind)
            for purpose in sorted({row.purpose for row in rows if row.current}):
                await session.execute(update(VaultKeyRow).where(VaultKeyRow.purpose == purpose).values(current=False))
                await self._keys.add(session, purpose, masters.current, store.kind)
            return len(rows)

    async def _reseal(self) -> int:
        """Seal some entries with the current data key; how many."""
        async with self._database.session(exclusive=True) as session:
            old = select(VaultKeyRow.id).where(VaultKeyRow.current.is_(False))
            rows = (
                await session.scalars(select(VaultEntryRow).where(VaultEntryRow.key_id.in_(old)).limit(BATCH))
            ).all()
            if not rows:
                return 0
            key = await self._keys.current(session, ENTRIES)
            for row in rows:
                before = await self._keys.open(await session.get_one(VaultKeyRow, row.key_id))
                row.sealed = await asyncio.to_thread(_again, row.sealed, before, key, row.name)
                if row.previous is not None:
                    row.previous = await asyncio.to_thread(_again, row.previous, before, key, row.name)
                row.key_id = key.id
            return len(rows)

    async def _drop_unused(self) -> int:
        async with self._database.session(exclusive=True) as session:
            used = select(VaultEntryRow.key_id)
            unused = delete(VaultKeyRow).where(
                VaultKeyRow.purpose == ENTRIES, VaultKeyRow.current.is_(False), VaultKeyRow.id.not_in(used)
            )
            done = await session.execute(unused)
            return done.rowcount if isinstance(done, CursorResult) else 0


def _again(sealed: str, before: SealingKey, after: SealingKey, name: str) -> str:
    return seal(unseal(sealed, before, about=about_entry(name)), after, about=about_entry(name))
