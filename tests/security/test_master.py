"""Where the master key is: a keyring where a real one is, else a file."""

from pathlib import Path

import keyring.errors
import pytest
from keyring.backend import KeyringBackend

from paddock.errors import StorageError, VaultLocked
from paddock.security.master import KeyFile, Keyring, account_of, master_store
from tests.security.vaults import SECRET, Home, put, value


class Desktop(KeyringBackend):
    """A keyring as a desktop has one."""

    priority = 5  # type: ignore[assignment]

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.is_locked = False

    def get_password(self, service: str, username: str) -> str | None:
        self._check()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._check()
        self.kept[service, username] = password

    def _check(self) -> None:
        if self.is_locked:
            raise keyring.errors.KeyringLocked


async def test_a_real_keyring_has_the_key_and_no_file_does(home: Home) -> None:
    home.backend = desktop = Desktop()
    await put(home.vault(), "openai")
    assert not home.key_file.exists()
    assert list(desktop.kept) == [("paddock", account_of(home.key_file.parent))]
    assert await value(home.vault(), "openai") == SECRET
    await home.vault().rotate()
    assert await value(home.vault(), "openai") == SECRET
    assert (await home.vault().status()).master_place == "keyring"


async def test_a_locked_keyring_says_so_and_harms_nothing(home: Home) -> None:
    home.backend = desktop = Desktop()
    await put(home.vault(), "openai")
    desktop.is_locked = True
    with pytest.raises(VaultLocked, match="does not open"):
        await home.vault().get("openai")
    with pytest.raises((VaultLocked, StorageError)):
        await put(home.vault(), "other")
    desktop.is_locked = False
    assert await value(home.vault(), "openai") == SECRET
    assert len(desktop.kept) == 1


async def test_a_service_that_does_not_reach_the_keyring_is_told_where_the_key_is(home: Home) -> None:
    """Started by the system instead of the desktop, it finds no keyring; it must not begin a second vault in a file."""
    home.backend = Desktop()
    await put(home.vault(), "openai")
    home.backend = None
    with pytest.raises(VaultLocked, match="kept in the keyring"):
        await home.vault().get("openai")
    with pytest.raises(VaultLocked):
        await put(home.vault(), "other")
    assert not home.key_file.exists()


def test_a_file_that_is_there_stays_the_place(tmp_path: Path) -> None:
    """A keyring that appears later, with a desktop, does not hide it."""
    file = tmp_path / "master.key"
    assert isinstance(master_store("auto", file, backend=lambda: None), KeyFile)
    assert isinstance(master_store("auto", file, backend=Desktop), Keyring)
    file.write_bytes(b"")
    assert isinstance(master_store("auto", file, backend=Desktop), KeyFile)
    assert isinstance(master_store("keyring", file, backend=Desktop), Keyring)
    assert isinstance(master_store("file", file, backend=Desktop), KeyFile)
    with pytest.raises(VaultLocked, match="no keyring answers"):
        master_store("keyring", file, backend=lambda: None)


def test_homes_that_share_a_keyring_do_not_share_a_key(tmp_path: Path) -> None:
    assert account_of(tmp_path / "a") != account_of(tmp_path / "b")
