"""One process at a time: locks that end with their holder, and an error that says who holds one."""

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from paddock.errors import InUse, StorageError


@contextmanager
def hold(path: Path, *, what: str, wait_s: float = 0.0) -> Generator[None]:
    """Hold the lock file `path` within the block. `what` names the thing in the error: "`org/name` is being pulled".

    Raises InUse when someone else, in this process or another, still holds it after `wait_s`. The system drops the
    lock when its holder dies, so nothing has to be cleaned up.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=wait_s, thread_local=False)
        lock.acquire()
    except Timeout as error:
        who = _holder(path)
        raise InUse(f"{what} by {who}.", hint="Wait for it to end, or stop it, then try again.") from error
    except OSError as error:
        raise StorageError(
            f"The lock `{path}` cannot be taken: {error.strerror}.",
            hint="Make the folder writable for this user.",
        ) from error
    try:
        note = _note(path)
        with suppress(OSError):  # a full disk: whoever finds the lock held is then not told by whom
            note.write_text(f"{os.getpid()} {socket.gethostname()}\n", encoding="utf-8")
        try:
            yield
        finally:
            with suppress(OSError):
                note.unlink(missing_ok=True)
    finally:
        lock.release()


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.holder")


def _holder(path: Path) -> str:
    try:
        pid, _, host = _note(path).read_text(encoding="utf-8").strip().partition(" ")
    except (OSError, UnicodeDecodeError):
        return "another process"
    if host and host != socket.gethostname():
        return f"process {pid} on `{host}`"
    return "this process" if pid == str(os.getpid()) else f"process {pid}"
