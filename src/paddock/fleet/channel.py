"""The server's end of a runner's connection; the runner's is `runner/channel.py`."""

import asyncio
import contextlib
import socket
from collections.abc import Iterable
from typing import Final, Self

from paddock.runner.messages import HEADER_BYTES, TO_SERVER, ToRunner, ToServer, body_length, decode, encode

_BUFFER_BYTES: Final = 256 * 1024


class ServerChannel:
    """asyncio. Any task may send; one task receives."""

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
        """The same for several that belong together: no other `send` comes between. Each is asked for when one is sent."""
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
