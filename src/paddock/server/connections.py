"""One connection: HTTP/1.1 as uvicorn and httptools speak it, with an end to everything that a client could draw out.

What is refused here never became a request: too many connections, headers or an address too long, headers too slow, no HTTP.
"""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from uvicorn.config import Config as UvicornConfig
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from paddock.config.schema import Server
from paddock.server.asking import request_id
from paddock.server.problems import PROBLEM, document
from paddock.telemetry.logs import get_logger
from paddock.telemetry.metrics import Metrics

_LINGER_S: Final = 2.0
_LINGER_BYTES: Final = 4 * 1024 * 1024

_log = get_logger("paddock.server")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is told to whom we did not listen to the end."""

    status: int
    code: str
    detail: str
    hint: str


_MALFORMED: Final = Refusal(
    400, "usage", "This is not HTTP as we understand it.", "Send a well-formed HTTP/1.1 request."
)
_SLOW: Final = Refusal(
    408,
    "too_slow",
    "The headers of this request did not come in time.",
    "Send them at once, or raise `server.headers_timeout_s`.",
)
_LONG_ADDRESS: Final = Refusal(
    414, "too_large", "The address of this request is too long.", "Shorten it, or raise `server.url_bytes_max`."
)
_LARGE_HEADERS: Final = Refusal(
    431,
    "too_large",
    "The headers of this request are too many or too large.",
    "Send fewer, or raise `server.headers_max` and `server.header_bytes_max`.",
)
_FULL: Final = Refusal(
    503,
    "overloaded",
    "This server already has as many connections as it may.",
    "Try again in a moment, or raise `server.connections_max`.",
)


class _Refused(Exception):
    """Raised inside the parser to make it stop."""


class Connection(HttpToolsProtocol):
    """One of many; `limits` and `metrics` are shared."""

    def __init__(self, *, limits: Server, metrics: Metrics, config: UvicornConfig, server_state: ServerState) -> None:
        super().__init__(config=config, server_state=server_state, app_state={})
        self._limits = limits
        self._metrics = metrics
        self._refusal = _MALFORMED
        self._closing = False  # what still comes is read and thrown away, so that the client can read our last words
        self._discarded = 0
        self._timer: asyncio.TimerHandle | None = None  # for headers that have begun
        self._write_timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._message_open = False  # between the first byte of a request and the last of its body
        self._head_bytes = 0
        self._head_count = 0
        self._seen = 0

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] (uvicorn narrows it, too)
        super().connection_made(transport)
        self._metrics.connected()
        if len(self.connections) > self._limits.connections_max:
            self._refuse(_FULL)
            return
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._metrics.disconnected()
        self._stop_timer()
        if self._write_timer is not None:
            self._write_timer.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            self._discarded += len(data)
            if self._discarded > _LINGER_BYTES:
                self.transport.abort()
            return
        waiting = self._in_head
        if waiting and self._timer is None:
            self._timer = self.loop.call_later(self._limits.headers_timeout_s, self._refuse, _SLOW)
        super().data_received(data)
        if self._closing or self.transport.is_closing():
            return
        if waiting and self._in_head and self._message_open:
            # All of it was headers, some perhaps still unseen inside the parser.
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.header_bytes_max + self._limits.url_bytes_max:
                self._refuse(_LARGE_HEADERS)

    # Requests, as the parser finds them

    def on_message_begin(self) -> None:
        self._in_head = True
        self._message_open = True
        self._head_bytes = self._head_count = self._seen = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self._limits.url_bytes_max:
            self._stop_with(_LONG_ADDRESS)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_count += 1
        self._seen += len(name) + len(value) + 4
        if self._head_count > self._limits.headers_max or self._seen > self._limits.header_bytes_max:
            self._stop_with(_LARGE_HEADERS)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._message_open = False
        self._in_head = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None:
            self._wait_for_request()

    # Clients that do not read

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(self._limits.write_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        super().resume_writing()

    # How it ends

    def send_400_response(self, msg: str) -> None:
        """uvicorn calls this when the parser gives up."""
        self._refuse(self._refusal)

    def shutdown(self) -> None:
        self._stop_timer()
        super().shutdown()

    def _wait_for_request(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self._limits.keep_alive_s, self.timeout_keep_alive_handler)

    def _stop_with(self, refusal: Refusal) -> None:
        self._refusal = refusal
        raise _Refused

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, refusal: Refusal) -> None:
        """Say why, and close once the client had a chance to read it."""
        self._stop_timer()
        self._unset_keepalive_if_required()
        if self._closing or self.transport.is_closing():
            return
        self._closing = True
        self._metrics.turned_away(refusal.status)
        named = request_id(None)
        _log.info("request.refused", status=refusal.status, code=refusal.code, request_id=named)
        if self.cycle is not None and not self.cycle.response_complete:  # pyright: ignore[reportUnnecessaryComparison] (None at first)
            self.transport.close()  # an answer is on its way; a second one in the middle of it would be a lie
            return
        self.transport.write(_bytes_of(refusal, named))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(_LINGER_S, self.transport.abort)


def _bytes_of(refusal: Refusal, named: str) -> bytes:
    body = document(
        status=refusal.status, code=refusal.code, detail=refusal.detail, hint=refusal.hint, request_id=named
    )
    head = [
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}",
        f"content-type: {PROBLEM}",
        f"content-length: {len(body)}",
        f"x-paddock-request-id: {named}",
        "connection: close",
    ]
    if refusal is _FULL:
        head.append("retry-after: 1")
    return "\r\n".join([*head, "", ""]).encode() + body
