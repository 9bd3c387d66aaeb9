"""What migrations make is what the tables say, on both databases."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from paddock.db import migrations
from paddock.db.engine import Database
from paddock.db.migrations import HEAD, REVISIONS, VERSION_TABLE
from paddock.db.schema import migrate
from paddock.db.tables import Table


def difference(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "version_table": VERSION_TABLE})
    return compare_metadata(context, Table.metadata)


def looks(connection: Connection) -> dict[str, object]:
    """Everything that the database knows of its tables."""
    seen = inspect(connection)
    return {
        name: (
            [{**column, "type": str(column["type"])} for column in seen.get_columns(name)],
            seen.get_pk_constraint(name),
            sorted(map(str, seen.get_foreign_keys(name))),
            sorted(map(str, seen.get_indexes(name))),
            sorted(map(str, seen.get_unique_constraints(name))),
        )
        for name in sorted(seen.get_table_names())
    }


def migrate_from_nothing(connection: Connection) -> None:
    """As if the first Paddock had made it, and every later one had been run."""
    Table.metadata.drop_all(connection)
    connection.exec_driver_sql(f"DROP TABLE {VERSION_TABLE}")
    migrate(connection)


async def test_a_new_database_a_migrated_one_and_the_tables_are_the_same(place: str | Path) -> None:
    """A column without a migration works on the author's machine and nowhere else; a new database is made without them."""
    async with await Database.open(place) as database:
        async with database.engine.begin() as connection:
            assert await connection.run_sync(difference) == []
            new = await connection.run_sync(looks)
            assert VERSION_TABLE in new
            await connection.run_sync(migrate_from_nothing)
        async with database.engine.connect() as connection:
            assert await connection.run_sync(difference) == []
            assert await connection.run_sync(looks) == new
            version = await connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}")
            assert version.scalars().all() == [HEAD]


def test_the_known_revisions_are_those_in_the_folder() -> None:
    """Opening trusts this list instead of asking Alembic."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert [script.revision for script in reversed(list(scripts.walk_revisions()))] == list(REVISIONS)
