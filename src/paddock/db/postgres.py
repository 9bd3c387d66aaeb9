"""A database on a server, shared between machines. Imported only when the settings name one: asyncpg is an extra."""

from typing import Final

from asyncpg import InterfaceError, PostgresError  # pyright: ignore[reportMissingTypeStubs] (it ships none)
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from paddock.db.migrations import VERSION_TABLE
from paddock.db.schema import Standing, standing, upgrade
from paddock.errors import StorageError

# Any number will do as long as nobody else's program in this database uses it: "paddock" in ASCII.
MIGRATION_LOCK: Final = 0x7061_64646F_636B
# What connecting raises: refused, unknown host, too slow, wrong password, no such database, a broken protocol.
CONNECTION_ERRORS: Final = (OSError, TimeoutError, PostgresError, InterfaceError, DBAPIError)


async def prepare(engine: AsyncEngine) -> None:
    """Reach the server and bring the schema to the newest version. Raises StorageError when that cannot be."""
    place = shown(engine.url)
    try:
        async with engine.connect() as connection:
            if await _look(connection, place) is Standing.NEWEST:
                return
        async with engine.begin() as connection:
            # Held until the transaction ends, also when this process dies. Whoever waits finds the work done.
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            if await _look(connection, place) is not Standing.NEWEST:
                await connection.run_sync(upgrade)
    except CONNECTION_ERRORS as error:
        raise explain(error, engine.url) from error


def explain(error: BaseException, url: URL) -> StorageError:
    """The same in words that name the server and the next step; never the password."""
    reason = str(getattr(error, "orig", None) or error).splitlines()[0] if str(error) else type(error).__name__
    if url.password:
        reason = reason.replace(url.password, "hidden")
    return StorageError(
        f"The database `{shown(url)}` does not answer: {reason}.",
        hint="Check that the server runs and that address, user, password and database name in `database.url` are right.",
    )


def shown(url: URL) -> str:
    """The address without its password."""
    return url.set(drivername="postgresql").render_as_string(hide_password=True)


async def _look(connection: AsyncConnection, place: str) -> Standing:
    names = await connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"))
    tables = {str(name) for name in names.scalars()}
    version = None
    if VERSION_TABLE in tables:
        version = (await connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}"))).scalar()  # noqa: S608 (our constant)
    return standing(version, tables, place=place)
