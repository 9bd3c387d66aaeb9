"""Where a server runs and how this person's own programs may speak with it: `server.json` in the state folder.

The lock beside it says whether that server lives; the system drops it when its holder dies, however it dies. So a file
that a killed server left behind misleads nobody, and neither does one that was half written.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from filelock import FileLock, Timeout

from paddock.errors import InUse, StorageError
from paddock.store.locking import hold

_BYTES_MAX: Final = 64 * 1024
_LOCK_WAIT_S: Final = 1.0  # whoever looks whether a server lives holds the lock for an instant


class ServerState(msgspec.Struct, frozen=True, kw_only=True):
    """One running server."""

    pid: int
    address: str  # `http://127.0.0.1:8484`
    token: str
    version: str
    started_at: datetime
    airgap: bool = False  # it reaches nothing beyond this machine
    launch_token: str = ""  # for programs that this person starts: it only lets them speak with models


_decode: Final = msgspec.json.Decoder(ServerState).decode


def state_path(state: Path) -> Path:
    """The file, in the state folder `state`."""
    return state / "server.json"


def lock_path(state: Path) -> Path:
    """The lock that a living server holds."""
    return state / "locks" / "server.lock"


def running(state: Path) -> ServerState | None:
    """The server that lives now. None when there is none, or it has only begun to start."""
    if not is_held(state):
        return None
    return read(state)


def read(state: Path) -> ServerState | None:
    """What the file says, whoever wrote it; None when it is not there or makes no sense."""
    try:
        with state_path(state).open("rb") as file:
            return _decode(file.read(_BYTES_MAX))
    except (OSError, msgspec.DecodeError):
        return None


def is_held(state: Path) -> bool:
    """Whether a server lives, or is just starting or ending."""
    path = lock_path(state)
    if not path.exists():
        return False
    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


@contextmanager
def only_server(state: Path) -> Generator[None]:
    """Be the only server of this home within the block. Raises InUse that says where the other one is."""
    try:
        with hold(lock_path(state), what="This home is served", wait_s=_LOCK_WAIT_S):
            with suppress(OSError):  # what a killed server left behind would name a process that may be anybody's now
                state_path(state).unlink(missing_ok=True)
            yield
    except InUse as error:
        if error.__cause__ is None or not isinstance(error.__cause__, Timeout):
            raise
        other = read(state)
        if other is None:
            raise InUse(
                "Another Paddock server of this home is just starting or ending.",
                hint="Wait a moment, then try again.",
            ) from error
        raise InUse(
            f"A Paddock server of this home already runs at {other.address} (process {other.pid}).",
            hint="Use it, or end it with `paddock serve --stop`. Another home is another `PADDOCK_HOME`.",
        ) from error


@contextmanager
def published(state: Path, server: ServerState) -> Generator[None]:
    """Tell where `server` is within the block. Raises StorageError when the folder does not take the file."""
    path = state_path(state)
    half = path.with_name(f"{path.name}.{server.pid}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            half.unlink()
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(server))
        half.replace(path)
    except OSError as error:
        with suppress(OSError):
            half.unlink(missing_ok=True)
        raise StorageError(
            f"`{path}` cannot be written: {error.strerror}.",
            hint="Make room on that disk, or make the folder writable for this user.",
        ) from error
    try:
        yield
    finally:
        forget(state, server)


def forget(state: Path, server: ServerState) -> None:
    """Take the file away, if it still is this server's."""
    if read(state) == server:
        with suppress(OSError):
            state_path(state).unlink(missing_ok=True)
