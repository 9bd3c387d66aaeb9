"""The master key, outside the database: in the system's keyring, or in a file that only its owner reads.

While it is being changed there are two of them, the new one first; the old one goes when nothing needs it any more.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec

from paddock.errors import StorageError, VaultLocked
from paddock.security.private_file import Disk, read_private, write_private
from paddock.security.sealing import KEY_BYTES, SealingKey

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE: Final = "paddock"
Where = Literal["auto", "keyring", "file"]


class _Written(msgspec.Struct, frozen=True):
    """How keys are written down, newest first: `[["mk-…", "base64"], …]`."""

    keys: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """The one that is used, and those that rows may still be wrapped with."""

    current: SealingKey
    older: tuple[SealingKey, ...] = ()

    def get(self, key_id: str) -> SealingKey | None:
        """The key of that id, if it is here."""
        return next((key for key in (self.current, *self.older) if key.id == key_id), None)

    def changed_to(self, key: SealingKey) -> "MasterKeys":
        """With `key` in front."""
        return MasterKeys(key, (self.current, *self.older))

    def joined(self, others: "MasterKeys") -> "MasterKeys":
        """With those of `others` that are not here yet behind."""
        more = tuple(key for key in (others.current, *others.older) if self.get(key.id) is None)
        return MasterKeys(self.current, (*self.older, *more))

    def settled(self) -> "MasterKeys":
        """Without the older ones."""
        return MasterKeys(self.current)

    def to_bytes(self) -> bytes:
        written = [(key.id, base64.b64encode(key.secret).decode()) for key in (self.current, *self.older)]
        return msgspec.json.encode(_Written(written))

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str) -> "MasterKeys":
        """What `to_bytes` wrote. Raises VaultLocked when it is something else."""
        try:
            keys = [SealingKey(key_id, base64.b64decode(text, validate=True)) for key_id, text in _decode(data).keys]
        except (msgspec.DecodeError, ValueError):
            keys = []
        if not keys or any(len(key.secret) != KEY_BYTES for key in keys):
            raise VaultLocked(
                f"The master key in {where} cannot be read: it is damaged.",
                hint="Put back the copy of it that you keep, or restore a backup: `paddock vault restore FILE`.",
            )
        return cls(keys[0], tuple(keys[1:]))


_decode: Final = msgspec.json.Decoder(_Written).decode


class MasterStore(Protocol):
    """A place for master keys. Its calls block."""

    @property
    def kind(self) -> str:
        """`file` or `keyring`."""
        ...

    @property
    def where(self) -> str:
        """In words: the file, or the keyring."""
        ...

    def read(self) -> MasterKeys | None:
        """What is kept; None when nothing is. Raises VaultLocked and StorageError."""
        ...

    def write(self, keys: MasterKeys) -> None:
        """Keep these instead, all or nothing. Raises StorageError."""
        ...


@dataclass(frozen=True, slots=True)
class KeyFile:
    """In a file of mode 0600."""

    path: Path
    disk: Disk = field(default_factory=Disk)
    kind: str = "file"

    @property
    def where(self) -> str:
        return f"`{self.path}`"

    def read(self) -> MasterKeys | None:
        data = read_private(self.path)
        return None if data is None else MasterKeys.from_bytes(data, where=self.where)

    def write(self, keys: MasterKeys) -> None:
        write_private(self.path, keys.to_bytes(), self.disk)


@dataclass(frozen=True, slots=True)
class Keyring:
    """In the system's keyring, under a name of this home's own."""

    backend: "KeyringBackend"
    account: str
    kind: str = "keyring"

    @property
    def where(self) -> str:
        return f"the keyring ({SERVICE}, {self.account})"

    def read(self) -> MasterKeys | None:
        from keyring.errors import KeyringError

        try:
            text = self.backend.get_password(SERVICE, self.account)
        except KeyringError as error:
            raise VaultLocked(
                "The keyring with the master key does not open.",
                hint="Unlock it (usually by signing in to the desktop), or set `vault.master_key` to `file`.",
            ) from error
        return None if text is None else MasterKeys.from_bytes(text.encode(), where=self.where)

    def write(self, keys: MasterKeys) -> None:
        from keyring.errors import KeyringError

        try:
            self.backend.set_password(SERVICE, self.account, keys.to_bytes().decode())  # pyright: ignore[reportUnknownMemberType] (it wraps what it inherits)
        except KeyringError as error:
            raise StorageError(
                "The keyring does not take the master key.",
                hint="Unlock it (usually by signing in to the desktop), or set `vault.master_key` to `file`.",
            ) from error


def master_store(
    where: Where, file: Path, *, backend: "Callable[[], KeyringBackend | None] | None" = None, disk: Disk | None = None
) -> MasterStore:
    """The place that `where` names. `auto` stays with a file that is there, else takes a keyring where a real one is.

    Raises VaultLocked when the keyring is wanted and there is none.
    """
    in_file = KeyFile(file, disk or Disk())
    if where == "file" or (where == "auto" and file.exists()):
        return in_file
    found = (backend or system_keyring)()
    if found is not None:
        return Keyring(found, account_of(file.parent))
    if where == "keyring":
        raise VaultLocked(
            "`vault.master_key` is `keyring`, and no keyring answers here.",
            hint="Sign in to the desktop that has it, or set `vault.master_key` to `file`.",
        )
    return in_file


def account_of(folder: Path) -> str:
    """The name in the keyring of the home whose data is in `folder`: several homes share one keyring."""
    return f"vault-{hashlib.sha256(str(folder).encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"


def system_keyring() -> "KeyringBackend | None":
    """The system's keyring, if it has a real one. Takes a while: it asks the desktop."""
    import keyring
    from keyring.backends import chainer, fail, null

    found = keyring.get_keyring()
    if isinstance(found, fail.Keyring | null.Keyring):
        return None
    if isinstance(found, chainer.ChainerBackend) and not found.backends:
        return None
    return found
