"""A database in one file: created private, checked before use, moved aside when it is beyond use.

Everything here blocks and is called from a worker thread. The usual case, a healthy file at the newest version, touches
neither Alembic nor a lock; a new file is made without Alembic, too.
"""

import errno
import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from paddock.db.migrations import VERSION_TABLE
from paddock.db.schema import Standing, standing, upgrade
from paddock.errors import StorageError

FILE_MODE: Final = 0o600  # rows hold what people ask their models, and the answers
_OWNERS_BITS: Final = 0o700
# Every page is looked at up to this size (a few hundredths of a second); beyond it, what is read is checked as it is read.
CHECKED_BYTES_MAX: Final = 64_000_000
LOCK_TIMEOUT_S: Final = 60.0

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_COMPANIONS = ("-wal", "-shm", "-journal")


def prepare(path: Path, *, now: datetime, busy_timeout_s: float) -> tuple[str, ...]:
    """Make `path` a healthy database at the newest version; returns what the user should be told.

    Raises StorageError when the folder, the disk or another process will not let us.
    """
    try:
        notices = _make_private(path)
        if path.exists() and _look(path, busy_timeout_s) is Standing.NEWEST:
            return notices
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path.parent):
            return (*notices, *_make_ready(path, now, busy_timeout_s))
    except OSError as error:
        raise StorageError(
            f"The database `{path}` cannot be written: {os.strerror(error.errno) if error.errno else error}.",
            hint="Make its folder writable, free some space, or set PADDOCK_HOME to another folder.",
        ) from error
    except sqlite3.Error as error:
        raise explain(error, path) from error
    except DBAPIError as error:  # the same, met by a migration
        if not isinstance(error.orig, sqlite3.Error) or not is_ours_to_explain(error.orig):
            raise
        raise explain(error.orig, path) from error


def tune(connection: Any, busy_timeout_s: float) -> None:
    """What every connection needs, whichever driver it is of.

    `synchronous=FULL`: in WAL mode NORMAL survives a killed process but may lose the last rows to a power cut. A row that
    was accepted must be there afterwards, and a few commits a second can afford their fsync.
    """
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {int(busy_timeout_s * 1000)}")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA secure_delete = ON")  # a conversation that was deleted must not stay in free pages
    finally:
        cursor.close()


def explain(error: sqlite3.Error, path: Path) -> StorageError:
    """The same in words that name the file and the next step."""
    match _code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StorageError(
                f"The database `{path}` is locked by another program.",
                hint="Wait until it is done, or end it, and try again.",
            )
        case sqlite3.SQLITE_FULL:
            return StorageError(
                f"The disk of the database `{path}` is full.", hint="Free some space: `paddock df` shows where it went."
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return StorageError(
                f"The database `{path}` cannot be written: {error}.",
                hint="Make the file and its folder writable, or set PADDOCK_HOME to another folder.",
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StorageError(
                f"The database `{path}` is damaged: {error}.",
                hint="Start the command again: it checks the file, moves it aside and begins a new one.",
            )
        case _:
            return StorageError(
                f"The database `{path}` does not answer: {error}.",
                hint="Check the disk and the folder, then try again.",
            )


def is_ours_to_explain(error: sqlite3.Error) -> bool:
    """False for mistakes in our own statements, which must not be dressed up as the disk's."""
    return _code(error) not in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISUSE, None)


@dataclass(frozen=True, slots=True)
class _Damage:
    reason: str


def _make_private(path: Path) -> tuple[str, ...]:
    """Take from others what they may do with the file, if its owner or a copy of it let them; returns what to tell.

    A file of somebody else's stays as it is, with a notice at every start: only its owner can mend that.
    """
    try:
        others = stat.S_IMODE(path.stat().st_mode) & ~_OWNERS_BITS
    except FileNotFoundError:
        return ()
    if not others:
        return ()
    try:
        for name in (path.name, *(path.name + companion for companion in _COMPANIONS)):
            with suppress(FileNotFoundError):
                file = path.with_name(name)
                file.chmod(stat.S_IMODE(file.stat().st_mode) & _OWNERS_BITS)
    except PermissionError:
        return (f"The database `{path}` is open to other users of this machine; its owner can run `chmod 600` on it.",)
    return (f"The database `{path}` was open to other users of this machine; now it is not.",)


def _make_ready(path: Path, now: datetime, busy_timeout_s: float) -> tuple[str, ...]:
    notices: tuple[str, ...] = ()
    if path.exists():
        found = _look(path, busy_timeout_s)
        if found is Standing.NEWEST:
            return ()  # another process was faster
        if isinstance(found, _Damage):
            aside = _move_aside(path, now)
            notices = (
                f"The database `{path}` was damaged ({found.reason}); it was moved to `{aside}` and a new one begun. "
                "Models on disk are found again; aliases, pins, templates and conversations were in it.",
            )
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE))
    _migrate(path, busy_timeout_s)
    return notices


def _look(path: Path, busy_timeout_s: float) -> Standing | _Damage:
    """Where the file stands, or what is wrong with its bytes."""
    try:
        with closing(sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            version = None
            if VERSION_TABLE in tables:
                row = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608 (our constant)
                version = str(row[0]) if row else None
            if path.stat().st_size <= CHECKED_BYTES_MAX:
                (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                if found != "ok":
                    return _Damage(" ".join(str(found).split()))
    except sqlite3.DatabaseError as error:
        if _code(error) in _DAMAGED:
            return _Damage(str(error))
        raise
    return standing(version, tables, place=str(path))


def _migrate(path: Path, busy_timeout_s: float) -> None:
    def connect() -> sqlite3.Connection:
        # Python would commit before each CREATE TABLE; without its help the whole migration is one transaction.
        connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    try:
        with engine.begin() as connection:
            upgrade(connection)
    finally:
        engine.dispose()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _move_aside(path: Path, now: datetime) -> Path:
    stamp = now.strftime("%Y%m%dT%H%M%S%f")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    for companion in _COMPANIONS:
        with suppress(FileNotFoundError):
            path.with_name(path.name + companion).rename(f"{aside}{companion}")
    path.rename(aside)
    return aside


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """One process at a time makes, repairs or migrates. The lock is on the folder, so nothing is left behind."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        deadline = time.monotonic() + LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EINTR):
                    raise
            if time.monotonic() > deadline:
                raise StorageError(
                    f"Another process has been preparing the database in `{folder}` for a minute.",
                    hint="End the other `paddock`, then try again.",
                )
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def _code(error: BaseException) -> int | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if code is not None else None  # the low byte is the kind, the rest its variant
