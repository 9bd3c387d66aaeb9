"""Bytes on the wire: a listening socket, a thread a connection, ranges, and bodies broken the way a fault says."""

import contextlib
import gzip
import re
import socket
import struct
import threading
from http.client import responses as reasons
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol, cast
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes.content import Content, OnDisk, Stored, content_of
from tests.fakes.faults import (
    BodyFault,
    Compressed,
    Corrupt,
    Drop,
    Fault,
    IgnoreRange,
    Long,
    Reset,
    Short,
    Slow,
    Stall,
    WrongContentRange,
)
from tests.fakes.messages import Answer, LogEntry, Request

_SEND_BUFFER_BYTES = 1 << 20


class Owner(Protocol):
    """The server that a listener belongs to."""

    def respond(self, request: Request) -> tuple[Answer, LogEntry, list[Fault]]: ...

    def listener_at(self, port: int | None) -> str | None: ...

    def wait(self, seconds: float) -> bool: ...


class Listener:
    """One listening socket and the threads of its connections."""

    def __init__(self, owner: Owner, name: str, host: str, port: int) -> None:
        self.owner, self.name, self.host = owner, name, host
        self._socket = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port = cast(int, self._socket.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, name=f"fake-{name}", daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self._socket.accept()
            except OSError:  # closed: the server stops
                return
            thread = threading.Thread(target=self._serve, args=(connection, address), daemon=True)
            with self._lock:
                self._open.add(connection)
                self._threads = [known for known in self._threads if known.is_alive()] + [thread]
            thread.start()

    def _serve(self, connection: socket.socket, address: Any) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _Handler(connection, address, self)
        except OSError:  # the client went away, or this server stops: nobody is left to tell
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def close(self) -> None:
        # shutdown wakes the accepting thread; close alone would leave it asleep on Linux
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._accepting.join()
        with self._lock:
            connections, threads = list(self._open), list(self._threads)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(timeout=5)


class _CutError(OSError):
    """Raised to leave a connection that was broken on purpose."""


class _Handler(BaseHTTPRequestHandler):
    """Speaks HTTP/1.1 on one connection. `server` is the listener that took it."""

    protocol_version = "HTTP/1.1"
    server: Listener  # type: ignore[assignment]

    def __init__(self, connection: socket.socket, address: Any, listener: Listener) -> None:
        # The log counts what was handed to the system; a small buffer keeps that close to what left it.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        super().__init__(connection, address, listener)  # type: ignore[arg-type]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Quiet: the log is for assertions."""

    def do_GET(self) -> None:
        self._exchange()

    def do_HEAD(self) -> None:
        self._exchange()

    def do_POST(self) -> None:
        self._exchange()

    def _exchange(self) -> None:
        owner = self.server.owner
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            self.command,
            unquote(parts.path),
            parts.path,
            parse_qs(parts.query, keep_blank_values=True),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(length) if length else b"",
            owner.listener_at(parts.port) or self.server.name,
        )
        answer, entry, faults = owner.respond(request)
        try:
            self._send(request, answer, entry, faults)
        except _CutError:
            self.close_connection = True
        except OSError:  # the client went away in the middle of the body
            self.close_connection = True

    def _send(self, request: Request, answer: Answer, entry: LogEntry, faults: list[Fault]) -> None:
        content = answer.content or Stored(b"")
        start, stop = self._range(request, answer, content, faults)
        fault = next((fault for fault in faults if isinstance(fault, BodyFault)), None)
        extra = b""
        match fault:
            case Short(by):
                stop = max(start, stop - by)
            case Long(by):
                extra = b"\xee" * by
            case Compressed() if "gzip" in request.headers.get("accept-encoding", ""):
                content = content_of(gzip.compress(b"".join(content.chunks(start, stop))))
                start, stop = 0, content.size
                answer.headers["Content-Encoding"] = "gzip"
                answer.length_known = False
            case _:
                pass
        if answer.length_known:
            answer.headers["Content-Length"] = str(stop - start + len(extra))
        else:
            answer.headers["Connection"] = "close"
            self.close_connection = True
        entry.status = answer.status
        head = [f"HTTP/1.1 {answer.status} {reasons.get(answer.status, 'Unknown')}", "Server: fake"]
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        self.connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode("latin-1", "replace"))
        if request.method == "HEAD":
            return
        self._send_body(content, start, stop, entry, fault)
        if extra:
            self._put(memoryview(extra), entry, None)

    def _range(self, request: Request, answer: Answer, content: Content, faults: list[Fault]) -> tuple[int, int]:
        """Which bytes to send; sets the status and headers that say so."""
        whole = (0, content.size)
        if not answer.ranges or answer.status != 200:
            return whole
        answer.headers["Accept-Ranges"] = "bytes"
        asked = request.headers.get("range")
        if asked is None or any(isinstance(fault, IgnoreRange) for fault in faults):
            return whole
        condition = request.headers.get("if-range")
        if condition is not None and condition != answer.headers.get("ETag"):
            return whole
        bounds = _bounds(asked, content.size)
        if bounds is None:
            answer.status = 416
            answer.headers["Content-Range"] = f"bytes */{content.size}"
            return (0, 0)
        start, stop = bounds
        for fault in faults:
            if isinstance(fault, WrongContentRange):
                start = min(max(0, start + fault.shift), stop - 1)
        answer.status = 206
        answer.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{content.size}"
        return start, stop

    def _send_body(self, content: Content, start: int, stop: int, entry: LogEntry, fault: Fault | None) -> None:
        if isinstance(content, OnDisk) and fault is None:
            with content.path.open("rb") as file:
                while start < stop:
                    length = min(1 << 22, stop - start)
                    entry.bytes_sent += length  # before the client can have it, as in `_put`
                    sent = self.connection.sendfile(file, start, length)
                    entry.bytes_sent -= length - sent
                    if not sent:
                        return
                    start += sent
            return
        limit = fault.after if isinstance(fault, Drop | Reset | Stall) else None
        for chunk in content.chunks(start, stop):
            if isinstance(fault, Corrupt) and start <= fault.at < start + len(chunk):
                damaged = bytearray(chunk)
                damaged[fault.at - start] ^= 0xFF
                chunk = memoryview(damaged)
            start += len(chunk)
            if limit is not None and entry.bytes_sent + len(chunk) >= limit:
                self._put(chunk[: limit - entry.bytes_sent], entry, None)
                self._cut(fault)
            self._put(chunk, entry, fault.bytes_per_s if isinstance(fault, Slow) else None)
        if limit is not None:
            self._cut(fault)

    def _put(self, chunk: memoryview, entry: LogEntry, bytes_per_s: int | None) -> None:
        """Send and count; a slow one twenty times a second."""
        step = len(chunk) if bytes_per_s is None else max(1, bytes_per_s // 20)
        for offset in range(0, len(chunk), step or 1):
            piece = chunk[offset : offset + step]
            # Counted before they go: a client that has the last byte may look into the log at once.
            entry.bytes_sent += len(piece)
            try:
                while piece:
                    piece = piece[self.connection.send(piece) :]
            finally:
                entry.bytes_sent -= len(piece)
            if bytes_per_s is not None and self.server.owner.wait(1 / 20):
                raise _CutError

    def _cut(self, fault: Fault | None) -> None:
        """Break the connection the way the fault says."""
        if isinstance(fault, Stall):
            self.server.owner.wait(fault.seconds)
        if isinstance(fault, Reset):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        raise _CutError


def _bounds(asked: str, size: int) -> tuple[int, int] | None:
    """`bytes=a-b` as a half-open interval within the file, or None if nothing of it can be given."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", asked)
    if not found or not (found[1] or found[2]):
        return None
    first, last = found[1], found[2]
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
    return (start, stop) if start < stop else None
