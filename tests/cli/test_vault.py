"""`paddock vault`: how it stands, new keys, backups. Never what is in it."""

import asyncio
import json
from pathlib import Path

from pydantic import SecretStr

from paddock.app import open_vault
from paddock.cli.schemas import render_schemas
from paddock.config.sources import load_config
from paddock.errors import InvalidFile, NotFound, UsageError
from tests.cli.running import Cli, Done
from tests.cli.schema_check import complaints
from tests.library.rooms import Site

SECRET = "sk-proj-Zm9yZ2V0LW1lLW5vdA"
PHRASE = "four stable doors and a horse"


def put(site: Site, name: str, text: str) -> None:
    async def go() -> None:
        async with open_vault(load_config(environment=site.variables, workspace=site.folder)) as vault:
            await vault.put(name, SecretStr(text))

    asyncio.run(go())


def check(done: Done, command: str) -> None:
    assert done.code == 0, done.err
    schema = json.loads(render_schemas())
    assert complaints(done.document, {"$ref": schema["x-commands"][command]}, schema) == []
    assert SECRET not in done.out + done.err


def test_a_vault_is_shown_rotated_kept_and_brought_back(cli: Cli, site: Site, tmp_path: Path) -> None:
    empty = cli("vault", "--json")
    check(empty, "vault")
    assert empty.document["status"]["master_id"] is None
    assert cli("vault", "rotate").code == NotFound.exit_code

    put(site, "openai", SECRET)
    shown = cli("vault", "--json")
    check(shown, "vault")
    assert [entry["name"] for entry in shown.document["entries"]] == ["openai"]
    rotated = cli("vault", "rotate", "--json")
    check(rotated, "vault rotate")
    assert rotated.document["entries"] == 1
    assert rotated.document["master_id"] != shown.document["status"]["master_id"]

    file = tmp_path / "vault.backup"
    check(cli("vault", "backup", str(file), "--json", stdin=f"{PHRASE}\n"), "vault backup")
    assert file.stat().st_mode & 0o077 == 0
    assert SECRET not in file.read_text()
    put(site, "openai", "another")
    words = ("vault", "restore", str(file), "--json")
    kept = cli(*words, environment={"PADDOCK_VAULT_PASSPHRASE": PHRASE})
    check(kept, "vault restore")
    assert kept.document["kept"] == ["openai"]
    assert kept.reports == [], "the variable is a known one"
    back = cli(*words, "--replace", stdin=PHRASE)
    check(back, "vault restore")
    assert back.document["replaced"] == ["openai"]
    assert cli(*words, stdin="another passphrase").error["code"] == InvalidFile.code
    assert cli(*words).error["code"] == UsageError.code
    assert cli("vault", "restore", "nowhere").code == NotFound.exit_code


def test_a_vault_that_does_not_open_says_why_and_what_to_do(cli: Cli, site: Site) -> None:
    put(site, "openai", SECRET)
    (site.folder / "paddock" / "data" / "master.key").unlink()
    shown = cli("vault", "--json")
    assert shown.code == 1
    assert shown.document["status"]["is_open"] is False
    assert "restore" in shown.document["status"]["hint"]
    assert "does not open" in cli("vault").out
