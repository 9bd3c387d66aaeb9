"""`Vault`: secrets of others, such as the keys of providers. What leaves it is a `SecretStr`; what stays is sealed.

key = await vault.get("openai")
client = OpenAI(api_key=key.get_secret_value())
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import SecretStr
from sqlalchemy import func, select

from paddock.db.tables import VaultEntryRow, VaultKeyRow
from paddock.errors import NotFound, PaddockError, TooLarge, UsageError, VaultLocked
from paddock.security.backup import Restored, make_backup, restore_backup
from paddock.security.data_keys import ENTRIES, PROMPTS, DataKeys
from paddock.security.rotation import Rotated, Rotation, about_entry
from paddock.security.sealing import key_id_of, seal, unseal

NAME_CHARACTERS_MAX: Final = 128
VALUE_BYTES_MAX: Final = 16 * 1024
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")
_TRIES: Final = 3  # a rotation may end between two looks


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultEntry:
    """What may be told of a secret."""

    name: str
    created_at: datetime
    updated_at: datetime
    has_previous: bool  # `revert` would bring back what it was before


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultStatus:
    """How the vault stands. `problem` says why it does not open."""

    entries: int
    master_id: str | None  # None while nothing was ever put in
    master_place: str | None  # `file` or `keyring`
    is_open: bool
    is_rotating: bool  # a rotation was broken off; it goes on with the next server, or with `vault rotate`
    problem: str | None = None
    hint: str | None = None


class Vault:
    """Secrets by name. Raises VaultLocked, and changes nothing, while the master key is missing or another."""

    def __init__(self, keys: DataKeys) -> None:
        self._keys = keys
        self._database = keys.database
        self._rotation = Rotation(keys)

    # Secrets

    async def get(self, name: str) -> SecretStr:
        """The secret. Raises NotFound."""
        for tries_left in reversed(range(_TRIES)):
            async with self._database.session() as session:
                # In one statement: a rotation never shows half of itself.
                found = (
                    await session.execute(
                        select(VaultEntryRow, VaultKeyRow)
                        .join(VaultKeyRow, VaultKeyRow.id == VaultEntryRow.key_id)
                        .where(VaultEntryRow.name == name)
                    )
                ).one_or_none()
            if found is None:
                raise _unknown(name)
            entry, wrapped = found
            try:
                key = await self._keys.open(wrapped)
            except VaultLocked:
                # The master key that wrapped it a moment ago may have been changed since.
                if tries_left:
                    continue
                raise
            return SecretStr((await asyncio.to_thread(unseal, entry.sealed, key, about=about_entry(name))).decode())
        raise AssertionError("the last try returns or raises")

    async def put(self, name: str, value: SecretStr) -> None:
        """Keep it from now on; what it was before stays for `revert` until the next change."""
        _check_name(name)
        plain = _checked(value)
        await self._keys.ensure(ENTRIES)
        async with self._database.session(exclusive=True) as session:
            key = await self._keys.current(session, ENTRIES)
            row = await session.get(VaultEntryRow, name)
            now = self._keys.now()
            sealed = await asyncio.to_thread(seal, plain, key, about=about_entry(name))
            if row is None:
                session.add(VaultEntryRow(name=name, sealed=sealed, key_id=key.id, created_at=now, updated_at=now))
                return
            old = await session.get_one(VaultKeyRow, row.key_id)
            before = await asyncio.to_thread(unseal, row.sealed, await self._keys.open(old), about=about_entry(name))
            row.previous = await asyncio.to_thread(seal, before, key, about=about_entry(name))
            row.sealed, row.key_id, row.updated_at = sealed, key.id, now

    async def revert(self, name: str) -> None:
        """Exchange the secret with what it was before. Raises NotFound when there is nothing to go back to."""
        async with self._database.session(exclusive=True) as session:
            row = await session.get(VaultEntryRow, name)
            if row is None:
                raise _unknown(name)
            if row.previous is None:
                raise NotFound(f"`{name}` was never changed.", hint="Put the right value in its place.")
            row.sealed, row.previous, row.updated_at = row.previous, row.sealed, self._keys.now()

    async def remove(self, name: str) -> None:
        """Forget it, and what it was before. It leaves the disk at once. Raises NotFound."""
        async with self._database.session(exclusive=True) as session:
            row = await session.get(VaultEntryRow, name)
            if row is None:
                raise _unknown(name)
            await session.delete(row)
        await self._database.forget_deleted()

    async def list(self) -> Sequence[VaultEntry]:
        """All of them, by name. Needs no key."""
        async with self._database.session() as session:
            rows = (await session.scalars(select(VaultEntryRow).order_by(VaultEntryRow.name))).all()
        return [
            VaultEntry(
                name=row.name,
                created_at=row.created_at,
                updated_at=row.updated_at,
                has_previous=row.previous is not None,
            )
            for row in rows
        ]

    # Keys

    async def rotate(self) -> Rotated:
        """New keys for old ones. Whoever reads and writes meanwhile does so undisturbed; killed, it is resumed."""
        return await self._rotation.rotate()

    async def resume(self) -> Rotated | None:
        """Finish a rotation that was broken off; None when there is none."""
        return await self._rotation.resume()

    async def status(self) -> VaultStatus:
        """How it stands. Never raises for what is wrong with its keys."""
        async with self._database.session() as session:
            entries = await session.scalar(select(func.count()).select_from(VaultEntryRow)) or 0
            row = await session.scalar(select(VaultKeyRow).order_by(VaultKeyRow.current.desc(), VaultKeyRow.created_at))
            problem: PaddockError | None = None
            try:
                await self._keys.check(session)
            except PaddockError as error:
                problem = error
        return VaultStatus(
            entries=entries,
            master_id=row.master_id if row else None,
            master_place=row.master_place if row else None,
            is_open=problem is None,
            is_rotating=problem is None and row is not None and await self._rotation.is_unfinished(),
            problem=problem.message if problem else None,
            hint=problem.hint if problem else None,
        )

    async def backup(self, passphrase: SecretStr) -> bytes:
        """A file that brings all of it back, here or elsewhere. Raises NotFound when there is nothing in it."""
        return await make_backup(self._keys, passphrase)

    async def restore(self, data: bytes, passphrase: SecretStr, *, replace: bool = False) -> Restored:
        """Bring back what `backup` kept. Raises InvalidFile, with nothing changed, for another file or passphrase."""
        return await restore_backup(self._keys, self, data, passphrase, replace=replace)

    # Texts that others keep

    async def seal_texts(self, texts: Sequence[tuple[str, str]]) -> Sequence[str]:
        """Seal texts that are kept elsewhere, each with what it is about. Their keys stay for ever, only wrapped anew."""
        await self._keys.ensure(PROMPTS)
        async with self._database.session() as session:
            key = await self._keys.current(session, PROMPTS)
        return await asyncio.to_thread(lambda: [seal(text.encode(), key, about=about) for text, about in texts])

    async def unseal_text(self, sealed: str, *, about: str) -> str:
        """What `seal_texts` was given. Raises Corrupt."""
        async with self._database.session() as session:
            row = await session.get(VaultKeyRow, key_id_of(sealed) or "")
        if row is None:
            raise NotFound(
                "The key that this text was sealed with is not here.",
                hint="Restore a backup of the vault that has it: `paddock vault restore FILE`.",
            )
        return (await asyncio.to_thread(unseal, sealed, await self._keys.open(row), about=about)).decode()


def _check_name(name: str) -> None:
    if len(name) > NAME_CHARACTERS_MAX or not _NAME.fullmatch(name):
        raise UsageError(
            f"`{name[:40]}` cannot name a secret.",
            hint=f"Use letters, digits and `._:/@-`, {NAME_CHARACTERS_MAX} at most, a letter or digit first.",
            param="name",
        )


def _checked(value: SecretStr) -> bytes:
    """The bytes of a secret that can be one: keys are sent as headers."""
    text = value.get_secret_value()
    if not text.strip():
        raise UsageError("An empty key is none.", hint="Give the key as it was shown to you.", param="key")
    if text != text.strip() or any(not letter.isprintable() for letter in text):
        raise UsageError(
            "The key has blanks around it, or characters that cannot be sent.",
            hint="Give the key alone, as it was shown to you.",
            param="key",
        )
    plain = text.encode("utf-8", "replace")
    if len(plain) > VALUE_BYTES_MAX:
        raise TooLarge(f"A key has at most {VALUE_BYTES_MAX} bytes.", hint="Give the key alone.", param="key")
    return plain


def _unknown(name: str) -> NotFound:
    return NotFound(
        f"The vault holds no secret `{name[:NAME_CHARACTERS_MAX]}`.", hint="See what it holds: `paddock vault`."
    )
