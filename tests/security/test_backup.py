"""A backup brings everything back: into the same home, into another one, and to a database that lost its master key."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from paddock.db.engine import Database
from paddock.errors import InvalidFile, NotFound, UsageError, VaultLocked
from tests.library.rooms import Clock
from tests.security.vaults import OTHER, SECRET, Home, put, value

PHRASE = SecretStr("four stable doors and a horse")


@pytest.fixture
async def elsewhere(tmp_path: Path) -> Home:
    """Another machine."""
    return Home(tmp_path / "elsewhere", await Database.open(tmp_path / "elsewhere" / "data" / "paddock.db"), Clock())


async def test_secrets_come_back_in_another_home(home: Home, elsewhere: Home) -> None:
    await put(home.vault(), "openai", OTHER)
    await put(home.vault(), "openai", SECRET)
    (sealed,) = await home.vault().seal_texts([("hello", "audit/1")])
    data = await home.vault().backup(PHRASE)
    assert SECRET.encode() not in data
    restored = await elsewhere.vault().restore(data, PHRASE)
    assert (restored.added, restored.replaced, restored.kept) == (["openai"], [], [])
    assert restored.master_key_restored is False
    vault = elsewhere.vault()
    assert await value(vault, "openai") == SECRET
    await vault.revert("openai")
    assert await value(vault, "openai") == OTHER
    assert await vault.unseal_text(sealed, about="audit/1") == "hello", "carried-over records can be read"
    assert elsewhere.key_file.read_bytes() != home.key_file.read_bytes(), "with a master key of its own"
    await elsewhere.database.close()


async def test_a_lost_master_key_comes_back(home: Home) -> None:
    """The database was carried over, or restored, without it."""
    await put(home.vault(), "openai")
    data = await home.vault().backup(PHRASE)
    home.key_file.unlink()
    with pytest.raises(VaultLocked):
        await home.vault().get("openai")
    restored = await home.vault().restore(data, PHRASE)
    assert restored.master_key_restored
    assert (restored.added, restored.kept) == ([], [])
    assert await value(home.vault(), "openai") == SECRET
    await home.vault().rotate()
    assert await value(home.vault(), "openai") == SECRET


async def test_what_was_changed_since_stays_unless_replaced(home: Home) -> None:
    await put(home.vault(), "openai", SECRET)
    data = await home.vault().backup(PHRASE)
    await put(home.vault(), "openai", OTHER)
    kept = await home.vault().restore(data, PHRASE)
    assert (kept.kept, await value(home.vault(), "openai")) == (["openai"], OTHER)
    replaced = await home.vault().restore(data, PHRASE, replace=True)
    assert (replaced.replaced, await value(home.vault(), "openai")) == (["openai"], SECRET)


async def test_another_passphrase_or_file_changes_nothing(home: Home) -> None:
    await put(home.vault(), "openai")
    data = await home.vault().backup(PHRASE)
    await home.vault().remove("openai")
    for wrong, phrase in (
        (data, SecretStr("four stable doors and a cow")),
        (data[:-20] + b"A" * 19 + b"\n", PHRASE),
        (b"PK\x03\x04", PHRASE),
        (b"", PHRASE),
        ("ü".encode(), PHRASE),
    ):
        with pytest.raises(InvalidFile, match="passphrase"):
            await home.vault().restore(wrong, phrase)
    assert await home.vault().list() == []


async def test_a_backup_wants_a_passphrase_and_something_to_keep(home: Home) -> None:
    with pytest.raises(NotFound, match="empty"):
        await home.vault().backup(PHRASE)
    await put(home.vault(), "openai")
    with pytest.raises(UsageError, match="12 characters"):
        await home.vault().backup(SecretStr("short"))
    home.key_file.unlink()
    with pytest.raises(VaultLocked):
        await home.vault().backup(PHRASE)
