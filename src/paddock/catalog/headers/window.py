"""Reads a header front to back through few, growing reads, and keeps no more than the part at hand."""

import struct
from typing import Final

from paddock.catalog.headers.claims import offence
from paddock.catalog.reading import RangeReader

FIRST_READ_BYTES: Final = 64 * 1024
READ_BYTES_MAX: Final = 8 * 1024 * 1024


class Window:
    """A cursor over a file. Every step is checked against the file's end and a limit for the whole header."""

    def __init__(self, reader: RangeReader, name: str, *, bytes_max: int) -> None:
        self.name = name
        self._reader = reader
        self._bytes_max = bytes_max
        self._buffer = b""
        self._start = 0  # where in the file the buffer begins
        self._at: int = 0  # the cursor, within the buffer
        self._read_bytes = FIRST_READ_BYTES

    @property
    def position(self) -> int:
        return self._start + self._at

    @property
    def left(self) -> int:
        """Bytes between the cursor and the end of the file."""
        return self._reader.size - self.position

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        self._need(length)
        taken = self._buffer[self._at : self._at + length]
        self._at += length
        return taken

    def skip(self, length: int) -> None:
        """Move on without reading what lies between, where it is not read yet."""
        self._check(length)
        within = min(length, len(self._buffer) - self._at)
        self._at += within
        if length > within:
            self._start, self._buffer, self._at = self.position + length - within, b"", 0

    def unpack(self, shape: struct.Struct) -> int | float:
        """The next number."""
        self._need(shape.size)
        number: int | float = shape.unpack_from(self._buffer, self._at)[0]
        self._at += shape.size
        return number

    def skip_strings(self, count: int) -> None:
        """Move past `count` strings, each a 64-bit length and its bytes. Nothing is made of them.

        The loop reads lengths straight from the buffer: a vocabulary has hundreds of thousands of strings.
        """
        while count:
            buffer, at, end = self._buffer, self._at, len(self._buffer)
            while count and at + 8 <= end:
                following = at + 8 + int(_LENGTH.unpack_from(buffer, at)[0])
                if following > end:
                    break
                at = following
                count -= 1
            self._at = at
            if count:
                self.skip(self.string_length())
                count -= 1

    def string_length(self) -> int:
        length = int(self.unpack(_LENGTH))
        if length > self.left:
            raise offence(self.name, f"holds a string of {length} bytes where the file has {self.left} left")
        return length

    def _check(self, length: int) -> None:
        if length > self.left:
            raise offence(
                self.name, f"ends early: it needs {length} bytes at {self.position}, and {self.left} are left"
            )
        if self.position + length > self._bytes_max:
            raise offence(self.name, f"is longer than {self._bytes_max} bytes")

    def _need(self, length: int) -> None:
        """Have the next `length` bytes in the buffer."""
        if self._at + length <= len(self._buffer):
            return
        self._check(length)
        rest = self._buffer[self._at :]
        wanted = min(max(length - len(rest), self._read_bytes), self.left - len(rest))
        fresh = self._reader.read(self.position + len(rest), wanted)
        self._start, self._at, self._buffer = self.position, 0, rest + fresh
        self._read_bytes = min(self._read_bytes * 2, READ_BYTES_MAX)
        if len(self._buffer) < length:
            raise offence(self.name, "ends early: the file got shorter while it was read")


_LENGTH: Final = struct.Struct("<Q")
