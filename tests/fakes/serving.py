"""A real HTTP/1.1 server on loopback, the base of every fake hub: threads, ranges, a log, scripted faults.

    with SomeHub() as hub:
        hub.fail("model.safetensors", Drop(after=1000), times=2)
        …
        assert [entry.range for entry in hub.requests("model.safetensors")] == [None, "bytes=1000-", "bytes=2000-"]

A subclass says what to answer; this file moves bytes. `127.0.0.1` and `localhost` are two hosts to a client, which is
how the tests see whether credentials follow a redirect.
"""

import contextlib
import gzip
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from http.client import responses as reasons
from http.server import BaseHTTPRequestHandler
from typing import Any, Self, cast
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes.content import Content, OnDisk, Stored, content_of
from tests.fakes.faults import (
    AnswerFault,
    BodyFault,
    Compressed,
    Corrupt,
    Do,
    Drop,
    EndlessJson,
    Expired,
    Fault,
    IgnoreRange,
    LoginPage,
    Long,
    RangeFault,
    RedirectTo,
    Reset,
    Short,
    Slow,
    Stall,
    Status,
    WrongContentRange,
)

LOGIN_PAGE = (
    b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please log in to the network.</body></html>"
)


@dataclass(frozen=True, slots=True)
class Request:
    """What came in. `path` is decoded once; `headers` have lower-case names; `at` names the listener it came to."""

    method: str
    path: str
    raw_path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    at: str

    def one(self, name: str) -> str | None:
        return self.query.get(name, [None])[0]  # type: ignore[list-item]

    @property
    def bearer(self) -> str | None:
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token if kind == "Bearer" else None


@dataclass(slots=True)
class Answer:
    """What goes out. By its `label` (`org/name/file`) faults and the log name a file, whatever its URL looks like."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    content: Content | None = None
    ranges: bool = False
    label: str = ""
    length_known: bool = True

    @staticmethod
    def json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> "Answer":
        return Answer(
            status,
            {"Content-Type": "application/json; charset=utf-8", **(headers or {})},
            Stored(json.dumps(value).encode()),
        )

    @staticmethod
    def redirect(url: str, status: int = 302, headers: Mapping[str, str] | None = None, label: str = "") -> "Answer":
        return Answer(status, {"Location": url, **(headers or {})}, Stored(b""), label=label)


@dataclass(slots=True)
class LogEntry:
    """One request and what it got."""

    method: str
    path: str
    at: str
    label: str
    range: str | None
    if_range: str | None
    authorized: bool  # an Authorization header, or a cookie, was there
    status: int = 0
    bytes_sent: int = 0  # of the body, handed to the kernel


@dataclass(slots=True)
class _Scripted:
    pattern: str
    fault: Fault
    method: str
    at: str | None
    skip: int
    times: int | None

    def fits(self, request: Request, answer: Answer) -> bool:
        if self.at not in (None, request.at) or self.method not in ("*", request.method):
            return False
        if not any(_names(self.pattern, name) for name in (request.path, answer.label)):
            return False
        match self.fault:
            case Expired():
                return request.at == "storage"
            case IgnoreRange() | WrongContentRange():
                return answer.ranges and "range" in request.headers
            case Status() | LoginPage() | RedirectTo() | EndlessJson() | Do():
                return True
            case _:
                return request.method != "HEAD" and answer.status < 300


def _names(pattern: str, name: str) -> bool:
    return bool(name) and (fnmatchcase(name, pattern) or name.endswith(f"/{pattern.lstrip('/')}"))


class FakeServer:
    """Starts with `with`, ends with it, and remembers everything in between."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.log: list[LogEntry] = []
        self._scripted: list[_Scripted] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._listeners: dict[str, _Listener] = {}

    # What a subclass says ------------------------------------------------------------------------------------------

    listener_hosts: Mapping[str, str] = {"main": "127.0.0.1"}

    def answer(self, request: Request) -> Answer:
        raise NotImplementedError

    # Life ----------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, port: int = 0) -> None:
        """Listen; after `stop` on the same ports as before, so a hub can go down and come back."""
        self._stopping.clear()
        for name, host in self.listener_hosts.items():
            before = self._listeners.get(name)
            wanted = before.port if before else port
            self._listeners[name] = _Listener(self, name, host, wanted)
            port = 0

    def stop(self) -> None:
        """Refuse new connections and cut the ones that are open."""
        self._stopping.set()
        for listener in self._listeners.values():
            listener.close()

    @contextlib.contextmanager
    def down(self) -> Generator[None]:
        """The hub does not answer at all in here."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def address(self, name: str = "main") -> str:
        listener = self._listeners[name]
        return f"http://{listener.host}:{listener.port}"

    def listener_at(self, port: int | None) -> str | None:
        """The name of the listener at `port`, for clients that use this server as their proxy."""
        return next((name for name, listener in self._listeners.items() if listener.port == port), None)

    @property
    def url(self) -> str:
        return self.address(next(iter(self.listener_hosts)))

    # Faults and the log ----------------------------------------------------------------------------------------------

    def fail(
        self,
        pattern: str,
        fault: Fault,
        *,
        times: int | None = 1,
        method: str = "GET",
        at: str | None = None,
        skip: int = 0,
    ) -> None:
        """Script `fault` for requests whose path or label ends with (or globs) `pattern`.

        The next `times` of them (None: for ever) after `skip` good ones meet it. `at` limits it to one listener,
        `method="*"` widens it to every method.
        """
        with self._lock:
            self._scripted.append(_Scripted(pattern, fault, method, at, skip, times))

    def heal(self) -> None:
        """Forget every scripted fault."""
        with self._lock:
            self._scripted.clear()

    def requests(self, pattern: str = "*", *, method: str | None = None, at: str | None = None) -> list[LogEntry]:
        """The log, filtered."""
        with self._lock:
            entries = list(self.log)
        return [
            entry
            for entry in entries
            if any(_names(pattern, name) for name in (entry.path, entry.label))
            and method in (None, entry.method)
            and at in (None, entry.at)
        ]

    def bytes_sent(self, pattern: str = "*") -> int:
        return sum(entry.bytes_sent for entry in self.requests(pattern))

    def forget(self) -> None:
        """Empty the log."""
        with self._lock:
            self.log.clear()

    def _take_faults(self, request: Request, answer: Answer) -> list[Fault]:
        """At most one fault of each kind, in the order they were scripted."""
        taken: list[Fault] = []
        with self._lock:
            for scripted in self._scripted:
                if scripted.times == 0 or not scripted.fits(request, answer):
                    continue
                if any(_kind(fault) == _kind(scripted.fault) for fault in taken):
                    continue
                if scripted.skip > 0:
                    scripted.skip -= 1
                    continue
                if scripted.times is not None:
                    scripted.times -= 1
                taken.append(scripted.fault)
        return taken

    def respond(self, request: Request) -> tuple[Answer, LogEntry, list[Fault]]:
        """The answer with the faults of the answer and of the range already in it, and the faults of the body."""
        if request.path == "/_log":  # for a fake in another process
            return Answer.json([asdict(entry) for entry in self.log]), _entry(request, ""), []
        answer = self.answer(request)
        faults = self._take_faults(request, answer)
        for fault in faults:
            if isinstance(fault, Do):
                fault.action()
                answer = self.answer(request)
        answer = next((_replaced(fault, answer) for fault in faults if isinstance(fault, AnswerFault)), answer)
        entry = _entry(request, answer.label)
        with self._lock:
            self.log.append(entry)
        return answer, entry, faults

    def wait(self, seconds: float) -> bool:
        """Sleep, but wake up (True) when the server stops."""
        return self._stopping.wait(seconds)


def _kind(fault: Fault) -> str:
    for name, kind in (("answer", AnswerFault), ("range", RangeFault), ("body", BodyFault)):
        if isinstance(fault, kind):
            return name
    return "do"


def _entry(request: Request, label: str) -> LogEntry:
    return LogEntry(
        request.method,
        request.path,
        request.at,
        label,
        request.headers.get("range"),
        request.headers.get("if-range"),
        "authorization" in request.headers or "cookie" in request.headers,
    )


def _replaced(fault: AnswerFault, answer: Answer) -> Answer:
    match fault:
        case Status(code, headers, body):
            return Answer(code, {"Content-Type": "text/plain", **headers}, Stored(body), label=answer.label)
        case Expired():
            return Answer(403, {"Content-Type": "application/xml"}, Stored(EXPIRED_XML), label=answer.label)
        case LoginPage():
            return Answer(200, {"Content-Type": "text/html; charset=utf-8"}, Stored(LOGIN_PAGE), label=answer.label)
        case RedirectTo(url, code):
            return Answer.redirect(url, code, label=answer.label)
        case EndlessJson(size):
            headers = {"Content-Type": "application/json; charset=utf-8"}
            return Answer(200, headers, _EndlessJsonContent(size), label=answer.label, length_known=False)


EXPIRED_XML = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>'


class _EndlessJsonContent(Content):
    def __init__(self, size: int) -> None:
        self.size = size

    def chunks(self, start: int, stop: int) -> Iterator[memoryview]:
        yield memoryview(b'[{"type":"file","path":"a","size":1,"oid":"')
        filling = memoryview(b"0" * (1 << 20))
        for _ in range(self.size >> 20):
            yield filling


class _Listener:
    """One listening socket and the threads of its connections."""

    def __init__(self, owner: FakeServer, name: str, host: str, port: int) -> None:
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
    server: _Listener  # type: ignore[assignment]

    def __init__(self, connection: socket.socket, address: Any, listener: _Listener) -> None:
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
