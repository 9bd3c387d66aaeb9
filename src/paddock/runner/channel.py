"""One connection between server and runner: a pair of sockets of which the child inherits one as a descriptor.

No path, so nothing to clean up; and when either process ends, in whatever way, the other reads the end of the stream. Nothing
is kept in between beyond the kernel's buffers and one frame: whoever sends faster than the other reads waits.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterable
from typing import Final, Self

from paddock.runner.messages import (
    HEADER_BYTES,
    TO_RUNNER,
    TO_SERVER,
    ToRunner,
    ToServer,
    body_length,
    decode,
    encode,
)

_BUFFER_BYTES: Final = 256 * 1024


class RunnerChannel:
    """The runner's end: blocking calls. Any thread may send; one thread receives."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.setblocking(True)
        self._sending = threading.Lock()

    def send(self, message: ToServer) -> None:
        """Hand `message` over; waits while the server does not read. Raises OSError when the server is gone."""
        frame = encode(message)
        with self._sending:
            self._socket.sendall(frame)

    def receive(self) -> ToRunner | None:
        """The next message; None when the server is gone. Raises ProtocolError."""
        header = self._read(HEADER_BYTES)
        if not header:
            return None
        length = body_length(header)
        body = self._read(length)
        if length and not body:
            return None
        return decode(TO_RUNNER, body)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the other side may have closed it already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _read(self, length: int) -> bytes:
        """Exactly `length` bytes; none when the stream ends before."""
        data = bytearray(length)
        view, filled = memoryview(data), 0
        while filled < length:
            try:
                count = self._socket.recv_into(view[filled:])
            except OSError:  # reset, or closed by our own shutdown
                return b""
            if not count:
                return b""
            filled += count
        return bytes(data)


class ServerChannel:
    """The server's end: asyncio. Any task may send; one task receives."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._sending = asyncio.Lock()

    @classmethod
    async def open(cls, connection: socket.socket) -> Self:
        """Take over `connection`, which is closed with the channel."""
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=_BUFFER_BYTES)
        writer.transport.set_write_buffer_limits(high=_BUFFER_BYTES)
        return cls(reader, writer)

    async def send(self, message: ToRunner) -> None:
        """Hand `message` over; waits while the runner does not read. Raises OSError when the runner is gone.

        Raises UsageError for what cannot be sent; the connection stays usable.
        """
        await self.send_all((message,))

    async def send_all(self, messages: Iterable[ToRunner]) -> None:
        """The same for several that belong together: no other `send` comes between. The next is asked for when one is sent."""
        async with self._sending:
            for message in messages:
                frame = encode(message)
                if self._writer.is_closing():
                    raise ConnectionResetError("the runner's connection is closed")
                self._writer.write(frame)
                await self._writer.drain()

    def post(self, message: ToRunner) -> None:
        """Send without waiting: for small messages, at most one a request. Silent when the runner is gone."""
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    async def receive(self) -> ToServer | None:
        """The next message; None when the runner is gone. Raises ProtocolError."""
        try:
            header = await self._reader.readexactly(HEADER_BYTES)
            body = await self._reader.readexactly(body_length(header))
        except (asyncio.IncompleteReadError, OSError):
            return None
        return decode(TO_SERVER, body)

    async def close(self) -> None:
        self._writer.transport.abort()  # what is still to be sent has nobody to read it
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
