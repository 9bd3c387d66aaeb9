"""`Database`: opened once by the composition root, handed to whoever keeps rows.

async with await Database.open(config.database.url or config.paths.database_file) as database:
    async with database.session() as session:
        row = await session.get(ModelRow, "pony")
"""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import URL, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from paddock.db import sqlite
from paddock.errors import StorageError

BUSY_TIMEOUT_S: Final = 10.0
CONNECT_TIMEOUT_S: Final = 10.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Database:
    """A database at the newest version. Belongs to the event loop that opened it."""

    def __init__(
        self, engine: AsyncEngine, explain: Callable[[DBAPIError], StorageError | None], notices: tuple[str, ...]
    ):
        self.engine = engine
        self.notices = notices  # what the user should be told, such as a damaged file that was moved aside
        self._explain = explain
        # Rows outlive their session: callers turn them into records after it is closed.
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

    @classmethod
    async def open(
        cls, place: str | Path, *, now: Callable[[], datetime] = _utc_now, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> Self:
        """The database at a file or an address, created and migrated as needed.

        Raises StorageError, with the next step, when it cannot be reached, read or written, or is from a newer Paddock.
        """
        if isinstance(place, Path):
            return await cls._open_file(place, now, busy_timeout_s)
        try:
            url = make_url(place)
        except ArgumentError as error:
            raise StorageError(
                "`database.url` is not the address of a database.",
                hint="Write `postgresql://user:password@host/name`, or leave it empty for a file in the data folder.",
            ) from error
        if url.get_backend_name() == "sqlite":
            return await cls._open_file(Path(url.database or ""), now, busy_timeout_s)
        return await cls._open_server(url.set(drivername="postgresql+asyncpg"))

    @classmethod
    async def _open_file(cls, path: Path, now: Callable[[], datetime], busy_timeout_s: float) -> Self:
        notices = await asyncio.to_thread(sqlite.prepare, path, now=now(), busy_timeout_s=busy_timeout_s)
        # When a log is to hold everything, the driver would write down every value of every row.
        logging.getLogger("aiosqlite").setLevel(logging.WARNING)
        engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(path)), hide_parameters=True)

        def tune(connection: Any, _record: object) -> None:
            sqlite.tune(connection, busy_timeout_s)

        event.listen(engine.sync_engine, "connect", tune)

        def explain(error: DBAPIError) -> StorageError | None:
            cause = _sqlite_cause(error)
            return sqlite.explain(cause, path) if cause is not None and sqlite.is_ours_to_explain(cause) else None

        return cls(engine, explain, notices)

    @classmethod
    async def _open_server(cls, url: URL) -> Self:
        try:
            from paddock.db import postgres
        except ImportError as error:
            raise StorageError(
                "PostgreSQL needs the package `asyncpg`, which is not installed.",
                hint="Install Paddock with it: `pip install 'paddock[postgres]'`.",
            ) from error
        engine = create_async_engine(
            url, pool_pre_ping=True, connect_args={"timeout": CONNECT_TIMEOUT_S}, hide_parameters=True
        )
        try:
            await postgres.prepare(engine)
        except BaseException:
            await engine.dispose()
            raise

        def explain(error: DBAPIError) -> StorageError | None:
            return postgres.explain(error, url) if error.connection_invalidated else None

        return cls(engine, explain, ())

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @asynccontextmanager
    async def session(self, *, exclusive: bool = False) -> AsyncGenerator[AsyncSession]:
        """One transaction: committed at the end of the block, rolled back when the block raises.

        `exclusive` holds every other exclusive session back from the first read to the commit, in every process: for
        decisions that stand on what they read, such as whether one more pull fits on the disk.
        """
        try:
            async with self._sessions.begin() as session:
                if exclusive:
                    await session.execute(_EXCLUSIVE[self.engine.dialect.name])
                yield session
        except DBAPIError as error:
            explained = self._explain(error)
            if explained is None:
                raise
            raise explained from error

    async def forget_deleted(self) -> None:
        """Make what was deleted leave the disk now, as far as no other process still reads it.

        SQLite overwrites deleted rows (`sqlite.tune`), in its log first; from there they go when the log is emptied.
        PostgreSQL's own clean-up does the same in its time.
        """
        if self.is_sqlite:
            async with self.engine.connect() as connection:
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    async def close(self) -> None:
        """Close every connection. The database may be opened again."""
        await self.engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


_EXCLUSIVE: Final = {
    # Python begins a transaction by itself only before the first write; this one is there before the first read.
    "sqlite": text("BEGIN IMMEDIATE"),
    "postgresql": text("SELECT pg_advisory_xact_lock(8102099357864587114)"),
}


def _sqlite_cause(error: BaseException | None) -> sqlite3.Error | None:
    """SQLite's own error among what caused this one: adapters wrap it once or twice."""
    while error is not None and not isinstance(error, sqlite3.Error):
        error = getattr(error, "orig", None) or error.__cause__
    return error
