"""A small file that only its owner reads, and that is never half written: there is the old one, or the new one."""

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

from paddock.errors import StorageError
from paddock.telemetry.logs import get_logger

BYTES_MAX: Final = 1024 * 1024
_OTHERS: Final = 0o077
_log = get_logger("paddock.security")


class Disk:
    """What is asked of the system; tests let each of these fail."""

    def write(self, descriptor: int, data: bytes) -> int:
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)


def read_private(path: Path) -> bytes | None:
    """The file's bytes; None when there is none. Others who may read it may no longer. Raises StorageError."""
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & _OTHERS:
                os.fchmod(file.fileno(), 0o600)
                _log.warning("private_file.was_open", file=path.name)
            return file.read(BYTES_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(
            f"`{path}` cannot be read: {error.strerror}.", hint="Give the file back to this user: `chown`, `chmod 600`."
        ) from error


def write_private(path: Path, data: bytes, disk: Disk | None = None) -> None:
    """Write it whole or leave what was there. On the disk when this returns. Raises StorageError."""
    disk = disk or Disk()
    half = path.with_name(f".{path.name}.{os.getpid()}.half")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            half.unlink()
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            left = data
            while left:
                left = left[disk.write(descriptor, left) :]
            disk.sync(descriptor)
        finally:
            os.close(descriptor)
        disk.rename(half, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            disk.sync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            half.unlink(missing_ok=True)
        raise StorageError(
            f"`{path}` cannot be written: {error.strerror or error}.",
            hint="Make room on that disk, or make the folder writable for this user.",
        ) from error
