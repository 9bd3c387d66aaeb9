"""What a fake serves: bytes in memory, a file on disk, or gigabytes made up on the fly from a seed."""

import hashlib
import random
import struct
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

_BLOCK_BYTES = 1 << 20


class Content:
    """Some bytes of known length, with the hashes that hubs publish. Hashes are computed once, when asked for."""

    size: int

    def chunks(self, start: int, stop: int) -> Iterator[memoryview]:
        """The bytes from `start` up to `stop`, in pieces of at most a mebibyte."""
        raise NotImplementedError

    def read(self) -> bytes:
        return b"".join(self.chunks(0, self.size))

    @cached_property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        for chunk in self.chunks(0, self.size):
            digest.update(chunk)
        return digest.hexdigest()

    @cached_property
    def git_oid(self) -> str:
        """The id that git gives to a blob with these bytes."""
        digest = hashlib.sha1(b"blob %d\0" % self.size)
        for chunk in self.chunks(0, self.size):
            digest.update(chunk)
        return digest.hexdigest()

    @cached_property
    def md5(self) -> bytes:
        digest = hashlib.md5()
        for chunk in self.chunks(0, self.size):
            digest.update(chunk)
        return digest.digest()


class Stored(Content):
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def chunks(self, start: int, stop: int) -> Iterator[memoryview]:
        view = memoryview(self._data)
        for offset in range(start, stop, _BLOCK_BYTES):
            yield view[offset : min(offset + _BLOCK_BYTES, stop)]


class OnDisk(Content):
    """A file; the server hands it to the kernel with `sendfile`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size

    def chunks(self, start: int, stop: int) -> Iterator[memoryview]:
        with self.path.open("rb") as file:
            file.seek(start)
            while start < stop:
                data = file.read(min(_BLOCK_BYTES, stop - start))
                if not data:
                    return
                start += len(data)
                yield memoryview(data)


class Generated(Content):
    """`size` bytes that depend on `seed` only. Every mebibyte carries its number, so misplaced bytes never pass."""

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        self._tail = random.Random(seed).randbytes(_BLOCK_BYTES - 8)

    def chunks(self, start: int, stop: int) -> Iterator[memoryview]:
        while start < stop:
            number, offset = divmod(start, _BLOCK_BYTES)
            end = min(_BLOCK_BYTES, offset + stop - start)
            if offset < 8:
                stamp = struct.pack(">Q", number)[offset : min(8, end)]
                yield memoryview(stamp)
                start += len(stamp)
            else:
                yield memoryview(self._tail)[offset - 8 : end - 8]
                start += end - offset


def content_of(value: bytes | str | Path | Content) -> Content:
    """What a test gives for a file, as Content."""
    match value:
        case Content():
            return value
        case Path():
            return OnDisk(value)
        case str():
            return Stored(value.encode())
        case bytes():
            return Stored(value)
