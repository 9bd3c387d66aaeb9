"""A real PostgreSQL server of the tests' own, on loopback, with a fresh database for each test.

Use it from a room's conftest: `from tests.fakes.postgres import postgres_server, postgres_url  # noqa: F401`. Where no
PostgreSQL is installed its tests are skipped and say so; under CI they fail, because there it must be installed.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

USER, PASSWORD = "paddock", "stable-door"
START_TIMEOUT_S = 60.0
MISSING = (
    "PostgreSQL is not installed, so nothing here shows that Paddock works with it "
    "(Debian: sudo apt-get install postgresql; macOS: brew install postgresql)"
)


@dataclass(frozen=True)
class PostgresServer:
    """A running server. `run_sql` asks it with its own client."""

    binaries: Path
    port: int

    def url(self, database: str, *, password: str = PASSWORD) -> str:
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def run_sql(self, statement: str, database: str = "postgres") -> str:
        command = [str(self.binaries / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", self.url(database), "-c", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server a test process. Nothing is synced to disk: it lives no longer than the tests."""
    binaries = _find_binaries()
    if binaries is None:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    # Not below pytest's folder, which other users may not enter: PostgreSQL refuses to run as root.
    folder = Path(tempfile.mkdtemp(prefix="paddock-postgres-"))
    try:
        yield from _serve(binaries, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of an empty database."""
    name = f"test_{secrets.token_hex(6)}"
    postgres_server.run_sql(f"CREATE DATABASE {name}")
    yield postgres_server.url(name)
    postgres_server.run_sql(f"DROP DATABASE {name} WITH (FORCE)")


def _serve(binaries: Path, folder: Path) -> Iterator[PostgresServer]:
    data, password_file, log = folder / "data", folder / "password", folder / "log"
    password_file.write_text(PASSWORD)
    user = _unprivileged_user()
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
        os.chown(password_file, user.pw_uid, user.pw_gid)
    as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
    # fmt: off
    make = [binaries / "initdb", "-D", data, "-U", USER, "--pwfile", password_file, "--auth", "scram-sha-256",
            "--no-sync", "--no-locale", "--encoding", "UTF8"]
    # fmt: on
    made = subprocess.run(make, cwd=folder, env=environment, check=False, capture_output=True, text=True, **as_user)
    assert made.returncode == 0, made.stderr
    port = _free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": "50",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-p", str(port), *options],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
            **as_user,
        )
    try:
        _wait_until_ready(binaries, port, server, log)
        yield PostgresServer(binaries, port)
    finally:
        server.send_signal(signal.SIGQUIT)  # at once: there is nothing to keep
        server.wait(timeout=30)


def _wait_until_ready(binaries: Path, port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    probe = [binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(probe, check=False).returncode:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def _find_binaries() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    folders += sorted(Path("/opt/homebrew/opt").glob("postgresql*/bin"), reverse=True)
    if on_path := shutil.which("initdb"):
        folders.append(Path(on_path).parent)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def _unprivileged_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    known = {user.pw_name: user for user in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
