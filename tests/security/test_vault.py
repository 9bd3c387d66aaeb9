"""What is put in comes out, for whoever has the master key; and nothing of it is anywhere else."""

import asyncio
import json
import logging
import stat
import traceback
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text, update

from paddock.db.engine import Database
from paddock.db.tables import VaultEntryRow
from paddock.errors import Corrupt, NotFound, PaddockError, TooLarge, UsageError, VaultLocked
from tests.security.vaults import OTHER, SECRET, Home, put, value


async def test_a_secret_comes_out_as_it_went_in(home: Home) -> None:
    vault = home.vault()
    await put(vault, "openai")
    assert await value(vault, "openai") == SECRET
    assert await value(home.vault(), "openai") == SECRET, "the next process has it, too"


async def test_names_are_listed_and_values_are_not(home: Home) -> None:
    vault = home.vault()
    await put(vault, "openai")
    home.clock.advance(60)
    await put(vault, "anthropic", OTHER)
    await put(vault, "anthropic", SECRET)
    first, second = await vault.list()
    assert (first.name, second.name) == ("anthropic", "openai")
    assert (first.has_previous, second.has_previous) == (True, False)
    assert first.updated_at == home.clock.now()
    assert "sk-" not in repr((first, second))


async def test_a_changed_secret_can_be_changed_back(home: Home) -> None:
    """A key that was pasted wrong must not cost the one that worked."""
    vault = home.vault()
    await put(vault, "openai", SECRET)
    with pytest.raises(NotFound, match="never changed"):
        await vault.revert("openai")
    await put(vault, "openai", OTHER)
    assert await value(vault, "openai") == OTHER
    await vault.revert("openai")
    assert await value(vault, "openai") == SECRET
    await vault.revert("openai")
    assert await value(vault, "openai") == OTHER


async def test_a_removed_secret_is_gone(home: Home) -> None:
    vault = home.vault()
    await put(vault, "openai")
    await vault.remove("openai")
    assert await vault.list() == []
    for call in (vault.get, vault.remove, vault.revert):
        with pytest.raises(NotFound, match="no secret `openai`"):
            await call("openai")


async def test_names_are_plain(home: Home) -> None:
    for name in ("", "-x", "../x", "a b", "x" * 129, "ü", "a\nb"):
        with pytest.raises(UsageError):
            await put(home.vault(), name)


async def test_what_cannot_be_a_key_is_refused_without_being_repeated(home: Home) -> None:
    """Pasted with a line's end, a key fails at the provider with an error that names everything but the reason."""
    for text_ in ("", "  ", f" {SECRET}", f"{SECRET}\n", "a\x00b"):
        with pytest.raises(UsageError) as caught:
            await put(home.vault(), "openai", text_)
        assert SECRET not in str(caught.value)
    with pytest.raises(TooLarge):
        await put(home.vault(), "openai", "x" * 20_000)
    assert await home.vault().list() == []


async def test_nothing_of_a_secret_is_in_the_files_of_its_home(home: Home, tmp_path: Path) -> None:
    """Neither in the database nor in its log, also after the secret was changed and removed; PostgreSQL's rows alike."""
    vault = home.vault()
    await put(vault, "openai", SECRET)
    await put(vault, "openai", OTHER)
    await put(vault, "anthropic", OTHER)
    await vault.rotate()
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    await vault.remove("anthropic")
    for file in files:
        if file.exists():
            contents = file.read_bytes()
            for secret in (SECRET, OTHER):
                assert secret.encode() not in contents, file
                assert secret.encode().hex().encode() not in contents, file
    async with home.database.session() as session:
        rows = (await session.execute(text("SELECT * FROM vault_entries, vault_keys"))).all()
    assert rows
    assert not any(secret in repr(rows) for secret in (SECRET, OTHER))


async def test_nothing_of_a_secret_is_shown(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    """In a value's form, in an error, its traceback, or a log that holds everything."""
    caplog.set_level(logging.DEBUG)
    vault = home.vault()
    await put(vault, "openai")
    secret = await vault.get("openai")
    assert SECRET not in f"{secret} {secret!r} {json.dumps({'key': str(secret)})}"
    home.key_file.write_bytes(b"{}")
    with pytest.raises(PaddockError) as caught:
        await home.vault().get("openai")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in caplog.text
    assert SECRET not in repr(vars(vault)) + repr(vars(home.keys()))


async def test_the_master_key_is_in_a_file_that_only_its_owner_reads(home: Home) -> None:
    await put(home.vault(), "openai")
    assert stat.S_IMODE(home.key_file.stat().st_mode) == 0o600
    home.key_file.chmod(0o644)
    assert await value(home.vault(), "openai") == SECRET
    assert stat.S_IMODE(home.key_file.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["missing", "another", "same id", "garbage", "empty"])
async def test_a_wrong_master_key_says_so_and_harms_nothing(home: Home, damage: str) -> None:
    """Whoever puts the right one back finds all as it was."""
    await put(home.vault(), "openai")
    right = home.key_file.read_bytes()
    written = json.loads(right)
    match damage:
        case "missing":
            home.key_file.unlink()
        case "another":
            written["keys"] = [["mk-another", "A" * 43 + "="]]
            home.key_file.write_text(json.dumps(written))
        case "same id":
            written["keys"][0][1] = "A" * 43 + "="
            home.key_file.write_text(json.dumps(written))
        case "garbage":
            home.key_file.write_bytes(b"\x00\xff garbage")
        case _:
            home.key_file.write_bytes(b"")
    wrong = home.key_file.read_bytes() if home.key_file.exists() else None
    vault = home.vault()
    for attempt in (
        vault.get("openai"),
        vault.put("openai", SecretStr(OTHER)),
        vault.put("new", SecretStr(OTHER)),
        vault.rotate(),
        vault.seal_texts([("hello", "x")]),
    ):
        with pytest.raises(VaultLocked) as caught:
            await attempt
        assert "master key" in caught.value.message
        assert caught.value.hint
    status = await vault.status()
    assert (status.is_open, status.entries) == (False, 1)
    assert status.problem
    assert (home.key_file.read_bytes() if home.key_file.exists() else None) == wrong, "nothing made a new one"
    home.key_file.write_bytes(right)
    assert await value(home.vault(), "openai") == SECRET
    assert await value(vault, "openai") == SECRET, "the same process, too"
    assert [entry.name for entry in await vault.list()] == ["openai"]


async def test_a_vault_that_is_open_stays_open_when_the_master_key_goes(home: Home) -> None:
    """A server that runs goes on; the next one says what is missing."""
    vault = home.vault()
    await put(vault, "openai")
    home.key_file.unlink()
    assert await value(vault, "openai") == SECRET


async def test_an_altered_row_is_found(home: Home) -> None:
    """Rows are sealed with their names: whoever can write the database cannot hand one provider another one's key."""
    vault = home.vault()
    await put(vault, "openai", SECRET)
    await put(vault, "evil", OTHER)
    async with home.database.session() as session:
        evil = await session.get_one(VaultEntryRow, "evil")
        await session.execute(
            update(VaultEntryRow).where(VaultEntryRow.name == "openai").values(sealed=evil.sealed, key_id=evil.key_id)
        )
    with pytest.raises(Corrupt, match="altered"):
        await vault.get("openai")
    async with home.database.session() as session:
        await session.execute(update(VaultEntryRow).where(VaultEntryRow.name == "evil").values(sealed="a.b.c.d.e"))
    with pytest.raises(Corrupt, match="altered"):
        await vault.get("evil")


async def test_texts_that_others_keep_are_sealed_as_what_they_are_about(home: Home) -> None:
    vault = home.vault()
    sealed = await vault.seal_texts([("what people ask", "audit/1"), ("", "audit/1")])
    assert "people" not in "".join(sealed)
    assert await home.vault().unseal_text(sealed[0], about="audit/1") == "what people ask"
    assert await vault.unseal_text(sealed[1], about="audit/1") == ""
    with pytest.raises(Corrupt):
        await vault.unseal_text(sealed[0], about="audit/2")
    for nonsense in ("", "x", "a.b.c.d.e"):
        with pytest.raises(NotFound):
            await vault.unseal_text(nonsense, about="audit/1")


async def test_many_at_once_make_one_vault(home: Home, place: str | Path) -> None:
    """The first secrets of a fresh home, by four processes at the same moment: one master key, all readable."""
    databases = [await Database.open(place) for _ in range(3)]
    homes = [home, *(Home(home.folder, database, home.clock) for database in databases)]
    await asyncio.gather(*(put(each.vault(), f"k{number}") for number, each in enumerate(homes)))
    vault = home.vault()
    assert [await value(vault, f"k{number}") for number in range(4)] == [SECRET] * 4
    assert len(json.loads(home.key_file.read_text())["keys"]) == 1
    for database in databases:
        await database.close()
