"""Homes with a vault, processes that open it anew, and disks that fail."""

from dataclasses import dataclass, field
from pathlib import Path

from keyring.backend import KeyringBackend
from pydantic import SecretStr

from paddock.db.engine import Database
from paddock.security.data_keys import DataKeys
from paddock.security.master import MasterStore, master_store
from paddock.security.private_file import Disk
from paddock.security.vault import Vault
from tests.library.rooms import Clock

SECRET = "sk-proj-Zm9yZ2V0LW1lLW5vdA-0123456789"
OTHER = "sk-ant-c29tZXRoaW5nLWVsc2U-9876543210"


class Killed(BaseException):
    """The process ends here: nothing behind it is tidied up or explained."""


class FailingDisk(Disk):
    """Does what it is asked, but for the call number `fails_at`, counted from one."""

    def __init__(self, fails_at: int, error: BaseException) -> None:
        self.left = fails_at
        self._error = error

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise self._error

    def write(self, descriptor: int, data: bytes) -> int:
        self._count()
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._count()
        super().sync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        self._count()
        super().rename(source, target)


@dataclass
class Home:
    """One home's folder and database."""

    folder: Path
    database: Database
    clock: Clock
    backend: KeyringBackend | None = None  # the system's keyring
    disk: Disk = field(default_factory=Disk)
    where: str = "auto"

    @property
    def key_file(self) -> Path:
        return self.folder / "data" / "master.key"

    def keys(self) -> DataKeys:
        """As a process sees them that starts now."""
        return DataKeys(
            database=self.database,
            store=self.store,
            lock=self.folder / "state" / "locks" / "vault.lock",
            now=self.clock.now,
        )

    def store(self) -> MasterStore:
        return master_store(self.where, self.key_file, backend=lambda: self.backend, disk=self.disk)  # type: ignore[arg-type]

    def vault(self) -> Vault:
        """As a process sees it that starts now."""
        return Vault(self.keys())


async def value(vault: Vault, name: str) -> str:
    return (await vault.get(name)).get_secret_value()


async def put(vault: Vault, name: str, text: str = SECRET) -> None:
    await vault.put(name, SecretStr(text))
