"""One POST over HTTP/1.1, and when each piece of the answer arrived.

A driver shares the processor with the server that it measures, and a general client spends more on each event of a stream
than the servers do. Here httptools takes the bytes apart, as it does in uvicorn; nothing else happens until the end.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httptools


class Broken(ConnectionError):
    """The connection ended before the answer did."""

    def __init__(self, message: str, *, begun: bool) -> None:
        super().__init__(message)
        self.begun = begun  # something of the answer had come


@dataclass(slots=True)
class Received:
    """One answer. Times are of this process's `perf_counter`."""

    status: int = 0
    pieces: list[tuple[float, bytes]] = field(default_factory=list[tuple[float, bytes]])

    @property
    def body(self) -> bytes:
        return b"".join(piece for _, piece in self.pieces)

    def lines(self) -> Iterator[tuple[float, str]]:
        """Each line with the time at which its end arrived."""
        held = b""
        for at, piece in self.pieces:
            *whole, held = (held + piece).split(b"\n")
            for line in whole:
                yield at, line.decode()
        if held:
            yield self.pieces[-1][0], held.decode()


class LightClient:
    """Connections to one server. Each is used again once its answer has ended."""

    def __init__(self, address: str) -> None:
        target = urlsplit(address)
        self._host, self._port = str(target.hostname), target.port or 80
        self._idle: list[_Connection] = []

    async def post(self, path: str, body: bytes) -> Received:
        """The whole answer. Raises Broken when it ends early and OSError when there is no connection."""
        connection = self._taken() or await self._opened()
        received = await connection.ask(self._head(path, len(body)) + body)
        if connection.is_open:
            self._idle.append(connection)
        return received

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle = []

    def _taken(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return None

    async def _opened(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port)
        return connection

    def _head(self, path: str, length: int) -> bytes:
        lines = (
            f"POST {path} HTTP/1.1",
            f"Host: {self._host}:{self._port}",
            "Accept: */*",
            "Content-Type: application/json",
            f"Content-Length: {length}",
        )
        return "\r\n".join((*lines, "", "")).encode()


class _Connection(asyncio.Protocol):
    """One at a time is asked over it. The parser calls the `on_` methods."""

    def __init__(self) -> None:
        self.is_open = False
        self._transport: asyncio.Transport | None = None
        self._received = Received()
        self._done: asyncio.Future[None] | None = None
        self._ends_with_connection = False
        self._parser = httptools.HttpResponseParser(self)

    async def ask(self, request: bytes) -> Received:
        assert self._transport is not None, "it is connected"
        self._received = Received()
        self._parser = httptools.HttpResponseParser(self)
        self._ends_with_connection = True
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            await self._done
        except BaseException:
            self.close()
            raise
        return self._received

    def close(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "a stream of bytes"
        self._transport = transport
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._break(f"no HTTP: {error!r}")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if exc is None and self._ends_with_connection and self._received.pieces:
            self.on_message_complete()
        self._break(f"the connection ended: {exc!r}")

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._ends_with_connection = False

    def on_body(self, body: bytes) -> None:
        self._received.pieces.append((time.perf_counter(), body))

    def on_message_complete(self) -> None:
        self._received.status = self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self.close()
        self._end(None)

    def _break(self, why: str) -> None:
        self._end(Broken(why, begun=bool(self._received.pieces)))

    def _end(self, failure: Exception | None) -> None:
        if self._done is None or self._done.done():
            return
        if failure is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(failure)
