"""Random access to one file's bytes, here or far away. Header parsers read through it and never see a path or URL."""

import os
from pathlib import Path
from typing import Protocol


class RangeReader(Protocol):
    """Some bytes of known length."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`; fewer only where the file ends."""
        ...


class FileReader:
    """A file on this disk. Opened for each read: headers are a read or two."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size

    @property
    def size(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        with self._path.open("rb") as file:
            return os.pread(file.fileno(), length, offset)
