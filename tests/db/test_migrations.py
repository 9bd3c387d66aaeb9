"""What migrations make is what the tables say, on both databases."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from paddock.db import migrations
from paddock.db.engine import Database
from paddock.db.migrations import REVISIONS, VERSION_TABLE
from paddock.db.tables import Table


def difference(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "version_table": VERSION_TABLE})
    return compare_metadata(context, Table.metadata)


async def test_the_migrated_schema_is_what_the_tables_say(place: str | Path) -> None:
    """A column without a migration works on the author's machine and nowhere else."""
    async with await Database.open(place) as database, database.engine.connect() as connection:
        assert await connection.run_sync(difference) == []


def test_the_known_revisions_are_those_in_the_folder() -> None:
    """Opening trusts this list instead of asking Alembic."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert [script.revision for script in reversed(list(scripts.walk_revisions()))] == list(REVISIONS)
