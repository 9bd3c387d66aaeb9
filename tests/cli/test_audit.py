"""`paddock audit`: listed, checked, exported; alone, and beside a server that goes on writing."""

import asyncio
import json
from pathlib import Path

from sqlalchemy import text

from paddock.cli.schemas import render_schemas
from paddock.db.engine import Database
from paddock.errors import UsageError
from tests.audit.journals import written
from tests.cli.running import Cli, Done
from tests.cli.schema_check import complaints
from tests.library.rooms import Site


def fill(site: Site, count: int, statement: str | None = None) -> None:
    async def go() -> None:
        async with await Database.open(site.config.paths.database_file) as database:
            await written(database, site.clock, count)
            if statement:
                async with database.session() as session:
                    await session.execute(text(statement))

    asyncio.run(go())


def check(done: Done, command: str) -> None:
    schema = json.loads(render_schemas())
    assert complaints(done.document, {"$ref": schema["x-commands"][command]}, schema) == []


def test_rows_are_listed_checked_and_exported(cli: Cli, site: Site, tmp_path: Path) -> None:
    fill(site, 5)
    listed = cli("audit", "--since", "1h", "--limit", "2", "--json")
    assert listed.code == 0, listed.err
    check(listed, "audit")
    assert [row["seq"] for row in listed.document["rows"]] == [5, 4]
    assert "/v1/chat/completions" in cli("audit", "--model", "pony").out
    assert cli("audit", "--failed", "--json").document["rows"] == []
    sound = cli("audit", "verify", "--json")
    check(sound, "audit verify")
    assert (sound.code, sound.document["is_sound"]) == (0, True)
    assert sound.document["head_hash"] in cli("audit", "verify").out
    file = tmp_path / "rows.csv"
    exported = cli("audit", "export", str(file), "--format", "csv", "--json")
    check(exported, "audit export")
    assert file.stat().st_size == exported.document["size"]
    assert len(cli("audit", "export").out.splitlines()) == 5
    for words in (("export", "--json"), ("--since", "soon"), ("verify", "--row", "1")):
        assert cli("audit", *words).code == UsageError.exit_code, words


def test_a_chain_that_was_altered_fails_the_check(cli: Cli, site: Site) -> None:
    """A job that runs it every night has to notice by the exit code."""
    fill(site, 3, "UPDATE audit SET status = 500 WHERE seq = 2")
    broken = cli("audit", "verify")
    assert broken.code == 1
    assert "Row 2" in broken.out
    noted = cli("audit", "verify", "--row", "3", "--hash", "0" * 64, "--json")
    check(noted, "audit verify")
    assert [problem["seq"] for problem in noted.document["problems"]] == [2, 3]
