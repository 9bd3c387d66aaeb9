"""A file is created private, checked before use, and moved aside when it is beyond use; nothing is lost in silence."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paddock.db import sqlite
from paddock.errors import StorageError

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "paddock.db"


def prepare(path: Path, *, busy_timeout_s: float = 5.0) -> tuple[str, ...]:
    return sqlite.prepare(path, now=NOW, busy_timeout_s=busy_timeout_s)


def add_alias(path: Path, name: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO aliases VALUES (?, 'pony', '2026-11-21')", (name,))


def aliases(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM aliases").fetchone()[0]


def test_the_file_is_private_and_in_wal_mode(path: Path) -> None:
    """Rows name what people ask their models; other users of the machine need not know."""
    assert prepare(path) == ()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO aliases VALUES ('p', 'pony', '2026-11-21')")
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert stat.S_IMODE(path.with_name("paddock.db-wal").stat().st_mode) == 0o600


def test_a_file_that_others_may_read_is_closed_to_them_and_says_so(path: Path) -> None:
    """A copy, or a program with another idea of modes, must not open up what people said to their models."""
    prepare(path)
    with closing(sqlite3.connect(path)) as reader, closing(sqlite3.connect(path)) as writer:
        reader.execute("SELECT * FROM aliases")
        writer.execute("INSERT INTO aliases VALUES ('p', 'pony', '2026-11-21')")
        log = path.with_name("paddock.db-wal")
        for file in (path, log):
            file.chmod(0o644)
        (notice,) = prepare(path)
        assert str(path) in notice
        assert [stat.S_IMODE(file.stat().st_mode) for file in (path, log)] == [0o600, 0o600]
    assert prepare(path) == ()


@pytest.mark.parametrize("is_new", [False, True])
def test_a_file_that_is_new_or_at_the_newest_version_is_opened_without_alembic(path: Path, is_new: bool) -> None:
    """Every command opens the database; migrating machinery would double its start."""
    if not is_new:
        prepare(path)
    program = (
        "import sys; from pathlib import Path; from datetime import datetime; from paddock.db import sqlite\n"
        "sqlite.prepare(Path(sys.argv[1]), now=datetime.now(), busy_timeout_s=5)\n"
        "assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=60)


def make_garbage(path: Path) -> None:
    path.write_bytes(b"this is no database\n" * 1000)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def scramble_a_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(os.urandom(4096))


@pytest.mark.parametrize("damage", [make_garbage, truncate, scramble_a_page])
def test_a_damaged_file_is_moved_aside_and_said_so(path: Path, damage: Callable[[Path], None]) -> None:
    prepare(path)
    add_alias(path, "p")
    damage(path)
    damaged = path.read_bytes()
    (notice,) = prepare(path)
    aside = path.with_name("paddock.db.corrupt-20261121T080000000000")
    assert str(aside) in notice
    assert aside.read_bytes() == damaged
    assert aliases(path) == 0
    assert prepare(path) == ()


def test_nothing_of_a_damaged_file_stays_beside_the_new_one(path: Path) -> None:
    """A log of the old file would be played into the new one and damage it, too."""
    prepare(path)
    make_garbage(path)
    for companion in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + companion).write_bytes(b"old")
    prepare(path)
    left = [entry for entry in path.parent.iterdir() if "corrupt" not in entry.name]
    assert all(entry.read_bytes() != b"old" for entry in left)
    assert aliases(path) == 0


def test_rows_in_the_log_survive_a_killed_writer(path: Path) -> None:
    """After `kill -9` the newest rows are only in the log; opening must not take that for damage."""
    prepare(path)
    program = (
        "import os, signal, sqlite3, sys; c = sqlite3.connect(sys.argv[1])\n"
        "c.execute(\"INSERT INTO aliases VALUES ('p', 'pony', '2026-11-21')\"); c.commit()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(path)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.with_name("paddock.db-wal").stat().st_size > 0
    assert prepare(path) == ()
    assert aliases(path) == 1


@pytest.mark.parametrize("statement", [1, 3, 5, 8, 10])
def test_a_migration_killed_at_any_statement_never_happened(path: Path, statement: int) -> None:
    """Python commits before each CREATE TABLE unless told otherwise; half a schema would be refused for ever."""
    program = (
        "import os, signal, sys; from datetime import datetime; from pathlib import Path\n"
        "from sqlalchemy import Engine, event\n"
        "from paddock.db import sqlite\n"
        "seen = []\n"
        "def after(connection, cursor, statement, *rest):\n"
        "    seen.extend([1] if statement.lstrip().startswith(('CREATE', 'INSERT')) else [])\n"
        "    len(seen) == int(sys.argv[2]) and os.kill(os.getpid(), signal.SIGKILL)\n"
        "event.listen(Engine, 'after_cursor_execute', after)\n"
        "sqlite.prepare(Path(sys.argv[1]), now=datetime.now(), busy_timeout_s=5)"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(path), str(statement)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    assert prepare(path) == ()
    assert aliases(path) == 0


def test_two_processes_that_open_a_fresh_database_both_succeed(path: Path) -> None:
    program = (
        "import sys; from datetime import datetime; from pathlib import Path; from paddock.db import sqlite\n"
        "assert sqlite.prepare(Path(sys.argv[1]), now=datetime.now(), busy_timeout_s=30) == ()"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program, str(path)]) for _ in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert aliases(path) == 0
    assert {entry.name for entry in path.parent.iterdir()} <= {"paddock.db", "paddock.db-wal", "paddock.db-shm"}


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    prepare(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE paddock_version SET version_num = '9999'")
    with pytest.raises(StorageError, match="newer Paddock"):
        prepare(path)
    assert [entry.name for entry in path.parent.iterdir()] == ["paddock.db"]


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written") as caught:
        prepare(tmp_path / "file" / "paddock.db")
    assert "PADDOCK_HOME" in caught.value.hint


def test_a_folder_in_the_files_place_is_a_storage_error(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be written"):
        prepare(path)


def test_a_locked_database_is_a_storage_error_after_the_wait(path: Path) -> None:
    """An empty file that another program holds: nothing to read, and no way to migrate."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        start = time.monotonic()
        with pytest.raises(StorageError, match="locked by another program") as caught:
            prepare(path, busy_timeout_s=0.2)
        assert time.monotonic() - start < 60, "it waits for ever"
    assert "try again" in caught.value.hint


def test_opening_a_healthy_file_takes_milliseconds(path: Path) -> None:
    """Processor time without imports, the best of many, on a database of a few thousand rows."""
    prepare(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        rows = ((f"alias-{number}", "x" * 200) for number in range(5000))
        connection.executemany("INSERT INTO aliases VALUES (?, ?, '2026-11-21')", rows)
    taken: list[float] = []
    for _ in range(5):
        start = time.process_time()
        prepare(path)
        taken.append(time.process_time() - start)
    assert min(taken) < 0.05
