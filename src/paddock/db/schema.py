"""Which version of the schema a database is at, and how it gets to the newest."""

from enum import Enum
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, inspect
from sqlalchemy import Table as DdlTable

from paddock.db import migrations
from paddock.db.migrations import HEAD, REVISIONS, VERSION_TABLE
from paddock.db.tables import Table
from paddock.errors import StorageError


class Standing(Enum):
    NEWEST = "newest"
    OLDER = "older"  # an empty database is the oldest there is


def standing(version: str | None, tables: set[str], *, place: str) -> Standing:
    """Where a database with this version mark and these tables stands.

    Raises StorageError when it is from a newer Paddock, or when tables with our names are there and not ours.
    """
    if version == HEAD:
        return Standing.NEWEST
    if version in REVISIONS:
        return Standing.OLDER
    if version is not None:
        raise StorageError(
            f"The database `{place}` was written by a newer Paddock (its schema is `{version}`, this one knows `{HEAD}`).",
            hint="Update with `paddock update`, or set PADDOCK_HOME to another folder for this version.",
        )
    if taken := sorted(tables & set(Table.metadata.tables)):
        raise StorageError(
            f"The database `{place}` holds tables that are not Paddock's: {', '.join(taken)}.",
            hint="Give Paddock a database of its own: `paddock config set database.url …`.",
        )
    return Standing.OLDER


def upgrade(connection: Connection) -> None:
    """Bring the database to the newest version, within the transaction that `connection` is in.

    One that is empty gets the tables as they are; tests hold that migrations would have made the same ones.
    """
    if inspect(connection).has_table(VERSION_TABLE):
        migrate(connection)
    else:
        begin(connection)


def begin(connection: Connection) -> None:
    """The newest tables, where none of ours are."""
    Table.metadata.create_all(connection, checkfirst=False)
    mark = DdlTable(VERSION_TABLE, MetaData(), Column("version_num", String(32), nullable=False))
    mark.append_constraint(PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"))  # as Alembic has it
    mark.create(connection, checkfirst=False)
    connection.execute(mark.insert().values(version_num=HEAD))


def migrate(connection: Connection) -> None:
    """From whatever version it is at, one migration after the other."""
    from alembic import command  # a tenth of a second that only the first start of a new version pays
    from alembic.config import Config

    config = Config()
    # Alembic reads `%` as a variable.
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
