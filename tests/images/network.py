"""The network beyond this machine, as far as fetching pictures goes: public addresses that lead to servers on loopback.

A `Network` is a transport of httpx2. It opens connections only to addresses that were put into it, and remembers every
address that a connection was asked for.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2

Serve = Callable[[socket.socket, bytes], None]
"""Answers one connection, whose request it is given."""


class Network(httpx2.AsyncBaseTransport):
    """`hosts` maps public addresses to ports on loopback."""

    def __init__(self, hosts: dict[str, int]) -> None:
        self._hosts = hosts
        self._inner = httpx2.AsyncHTTPTransport()
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        host = request.url.host
        self.asked.append(host)
        if host not in self._hosts:
            raise httpx2.ConnectError(f"no way to {host}")
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._hosts[host])
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class Listener:
    """A server on loopback that answers every connection the same way, and counts them."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.requests: list[bytes] = []
        self.stopping = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._answer, args=(connection,), daemon=True))
            self._threads[-1].start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                asked = connection.recv(65536)
                self.requests.append(asked)
                self._serve(connection, asked)
            except OSError:  # whoever asked went away
                return

    def close(self) -> None:
        self.stopping.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)


@contextmanager
def listening(serve: Serve) -> Iterator[Listener]:
    listener = Listener(serve)
    try:
        yield listener
    finally:
        listener.close()


def answering(body: bytes, *, status: str = "200 OK", **headers: str) -> Serve:
    """The same answer to everybody."""

    def serve(connection: socket.socket, asked: bytes) -> None:
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        told = {"content-length": str(len(body)), "connection": "close", **own}
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        connection.sendall(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)

    return serve


def in_turn(*answers: Serve) -> Serve:
    """The first to the first, and so on."""
    left = iter(answers)

    def serve(connection: socket.socket, asked: bytes) -> None:
        next(left)(connection, asked)

    return serve


def redirecting(location: str) -> Serve:
    return answering(b"", status="302 Found", location=location)


def endless(connection: socket.socket, asked: bytes) -> None:
    """A body without end, as fast as it is taken."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n\x89PNG\r\n\x1a\n")
    while True:
        connection.sendall(bytes(1 << 20))


def dripping(connection: socket.socket, asked: bytes) -> None:
    """A byte now and then: no single one is late."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    for _ in range(100_000):
        connection.sendall(b"x")
        time.sleep(0.02)


def silent(connection: socket.socket, asked: bytes) -> None:
    connection.recv(1)  # until whoever asked goes away
