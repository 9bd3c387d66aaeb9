"""All of the vault in one file that a passphrase opens, on this machine or another.

The file holds the secrets, the keys of recorded prompts, and the master keys, so that it also opens a database whose
master key was lost. What comes back is sealed with the keys of the vault that it comes back to.
"""

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
from pydantic import SecretStr
from sqlalchemy import select

from paddock.db.tables import VaultEntryRow, VaultKeyRow
from paddock.errors import Corrupt, InvalidFile, NotFound, UsageError
from paddock.security.data_keys import PROMPTS, DataKeys, wrap
from paddock.security.master import MasterKeys
from paddock.security.rotation import about_entry
from paddock.security.sealing import SealingKey, seal_with_passphrase, unseal, unseal_with_passphrase

if TYPE_CHECKING:
    from paddock.security.vault import Vault

PASSPHRASE_CHARACTERS_MIN: Final = 12
FILE_BYTES_MAX: Final = 64 * 1024 * 1024
_ABOUT: Final = "paddock vault backup 1"


class _Secret(msgspec.Struct, frozen=True):
    name: str
    value: str
    previous: str | None = None


class _Key(msgspec.Struct, frozen=True):
    id: str
    secret: str  # base64


class _Backup(msgspec.Struct, frozen=True):
    made_at: datetime
    masters: list[_Key]  # newest first
    prompts: list[_Key]
    secrets: list[_Secret]


_decode: Final = msgspec.json.Decoder(_Backup).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came back, by name."""

    made_at: datetime
    added: Sequence[str]
    replaced: Sequence[str]
    kept: Sequence[str]  # there already, with another value; `replace` takes the backup's
    master_key_restored: bool  # the vault had lost its own


async def make_backup(keys: DataKeys, passphrase: SecretStr) -> bytes:
    """The contents of a backup file. Raises VaultLocked, and NotFound when there is nothing to keep."""
    phrase = _checked(passphrase)
    async with keys.masters() as store, keys.database.session() as session:
        masters = await asyncio.to_thread(store.read)
        rows = {row.id: await keys.open(row) for row in await session.scalars(select(VaultKeyRow))}
        prompts = set(await session.scalars(select(VaultKeyRow.id).where(VaultKeyRow.purpose == PROMPTS)))
        entries = (await session.scalars(select(VaultEntryRow).order_by(VaultEntryRow.name))).all()
    if masters is None or not rows:
        raise NotFound("The vault is empty: there is nothing to keep.", hint="Put a secret in first.")

    def contents() -> bytes:
        backup = _Backup(
            made_at=keys.now(),
            masters=[_written(key) for key in (masters.current, *masters.older)],
            prompts=[_written(key) for key in rows.values() if key.id in prompts],
            secrets=[_opened(entry, rows[entry.key_id]) for entry in entries],
        )
        return seal_with_passphrase(msgspec.json.encode(backup), phrase, about=_ABOUT).encode() + b"\n"

    return await asyncio.to_thread(contents)


async def restore_backup(
    keys: DataKeys, vault: "Vault", data: bytes, passphrase: SecretStr, *, replace: bool = False
) -> Restored:
    """Bring back what `make_backup` kept. Raises InvalidFile for another file or passphrase, with nothing changed.

    A lost master key comes back first. Secrets that are there with another value stay, unless `replace`.
    """
    backup = await asyncio.to_thread(_read, data, passphrase)
    masters = _masters(backup)
    restored = await _restore_masters(keys, masters)
    await _restore_prompts(keys, backup)
    added: list[str] = []
    replaced: list[str] = []
    kept: list[str] = []
    there = {entry.name for entry in await vault.list()}
    for secret in backup.secrets:
        if secret.name not in there:
            if secret.previous is not None:
                await vault.put(secret.name, SecretStr(secret.previous))
            await vault.put(secret.name, SecretStr(secret.value))
            added.append(secret.name)
        elif (await vault.get(secret.name)).get_secret_value() == secret.value:
            continue
        elif replace:
            await vault.put(secret.name, SecretStr(secret.value))
            replaced.append(secret.name)
        else:
            kept.append(secret.name)
    return Restored(made_at=backup.made_at, added=added, replaced=replaced, kept=kept, master_key_restored=restored)


async def _restore_masters(keys: DataKeys, masters: MasterKeys) -> bool:
    """Put back master keys that rows need and that are not here; whether there were any."""
    async with keys.masters() as store, keys.database.session() as session:
        needed = set(await session.scalars(select(VaultKeyRow.master_id)))
        here = await asyncio.to_thread(store.read)
        missing = [key for key in (masters.current, *masters.older) if key.id in needed]
        missing = [key for key in missing if here is None or here.get(key.id) is None]
        if not missing:
            return False
        found = MasterKeys(missing[0], tuple(missing[1:]))
        await asyncio.to_thread(store.write, found if here is None else here.joined(found))
        return True


async def _restore_prompts(keys: DataKeys, backup: _Backup) -> None:
    """Put back keys of recorded prompts that are not here, so that records that were carried over can be read."""
    if not backup.prompts:
        return
    await keys.ensure(PROMPTS)
    async with keys.masters() as store, keys.database.session(exclusive=True) as session:
        masters = await asyncio.to_thread(store.read)
        assert masters is not None, "there is a key, so there is a master key"
        here = set(await session.scalars(select(VaultKeyRow.id)))
        for kept in backup.prompts:
            if kept.id not in here:
                session.add(wrap(_key(kept), PROMPTS, masters.current, store.kind, keys.now(), current=False))


def _read(data: bytes, passphrase: SecretStr) -> _Backup:
    try:
        text = data.strip().decode("ascii")
        return _decode(unseal_with_passphrase(text, passphrase.get_secret_value(), about=_ABOUT))
    except (Corrupt, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise InvalidFile(
            "This is not a backup of a vault, it was damaged, or the passphrase is another one.",
            hint="Check the passphrase, then the file. Nothing was changed.",
        ) from error


def _masters(backup: _Backup) -> MasterKeys:
    first, *others = (_key(kept) for kept in backup.masters)
    return MasterKeys(first, tuple(others))


def _opened(entry: VaultEntryRow, key: SealingKey) -> _Secret:
    about = about_entry(entry.name)
    previous = None if entry.previous is None else unseal(entry.previous, key, about=about).decode()
    return _Secret(entry.name, unseal(entry.sealed, key, about=about).decode(), previous)


def _written(key: SealingKey) -> _Key:
    return _Key(key.id, base64.b64encode(key.secret).decode())


def _key(kept: _Key) -> SealingKey:
    return SealingKey(kept.id, base64.b64decode(kept.secret))


def _checked(passphrase: SecretStr) -> str:
    text = passphrase.get_secret_value()
    if len(text) < PASSPHRASE_CHARACTERS_MIN:
        raise UsageError(
            f"The passphrase of a backup has at least {PASSPHRASE_CHARACTERS_MIN} characters.",
            hint="Take several words that nobody would put together.",
            param="passphrase",
        )
    return text
