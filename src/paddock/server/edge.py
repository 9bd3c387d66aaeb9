"""The first and the last of every request: names it, guards it, counts it, writes its line into the log.

In this order: an id; whether the server still takes work; by which name and from which page it is called; size and kind
of the body; the key. Whatever goes wrong behind it becomes an answer here, which tells only what the client can do.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Request
from structlog.contextvars import bound_contextvars

from paddock.audit.journal import Recorder
from paddock.audit.record import RequestRecord
from paddock.audit.trail import writing_to
from paddock.config.schema import Server
from paddock.errors import Defect, Overloaded, PaddockError
from paddock.security.callers import Scope
from paddock.security.gate import Gate
from paddock.server.asking import Asking, request_id, write_down
from paddock.server.bodies import Body, Budget, Limit
from paddock.server.credentials import check_page, cookie_in, key_in
from paddock.server.life import Life, ending
from paddock.server.origins import Neighbours, cors, preflight
from paddock.server.pages import is_page
from paddock.server.permissions import Open, need_of
from paddock.server.problems import Problem, problem, unexpected
from paddock.server.recording import dialect_of, is_kept
from paddock.server.running import Running
from paddock.telemetry.logs import get_logger
from paddock.telemetry.metrics import CLIENT_LEFT, NO_ROUTE, Metrics
from paddock.telemetry.timeline import Timeline, Timelines, following, parent_in

OPEN: Final = frozenset({"/healthz", "/readyz"})  # want no key and answer until the end
ALWAYS: Final = OPEN | {"/metrics"}  # also while draining
TAKE_PICTURES: Final = frozenset(
    {
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/api/chat",
        "/api/generate",
    }
)

_log = get_logger("paddock.server")


class _Answered(OSError):
    """Raised into an application that goes on after a HEAD request had its answer."""


class Edge:
    """An ASGI application around another one."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Server,
        picture_bodies: Limit,
        gate: Gate,
        recorder: Recorder,
        running: Running,
        timelines: Timelines,
        now: Callable[[], datetime],
        life: Life,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._app = app
        self._settings = settings
        self._bodies = Limit(settings.body_bytes_max, "server.body_bytes_max")
        self._picture_bodies = picture_bodies
        self._gate = gate
        self._recorder = recorder
        self._running = running
        self._timelines = timelines
        self._now = now
        self._life = life
        self._metrics = metrics
        self._clock = clock
        self._neighbours = Neighbours.of(settings)
        self._budget = Budget(settings.bodies_bytes_max)

    async def __call__(self, scope: Request, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # no WebSocket and no lifespan reach us: the server is told so
            return
        headers = Headers(scope=scope)
        asked = scope["method"]
        asking = Asking(
            id=request_id(headers.get("x-request-id")),
            meter=self._metrics.request(method=asked, request_id=""),
            record=RequestRecord(at=self._now(), method=asked),
        )
        asking.meter.request_id = asking.record.request_id = asking.id
        limit = self._picture_bodies if scope["path"] in TAKE_PICTURES else self._bodies
        body = Body(receive, headers, self._settings, self._budget, self._clock, limit)
        answer = _Answer(send, asking.id, body, head=asked == "HEAD")
        inner: Request = {**scope, "method": "GET"} if asked == "HEAD" else dict(scope)
        write_down(inner, asking)
        self._metrics.active.inc()
        self._life.enter(work=asked == "POST")
        self._running.enter(inner, asking)
        timeline = Timeline(asking.id, asking.record.at, self._clock, parent_in(headers.get("traceparent")))
        with bound_contextvars(request_id=asking.id), writing_to(asking.record), following(timeline):
            try:
                await self._serve(inner, headers, asking, body, answer)
            except PaddockError as error:
                asking.record.error_code = error.code
                await answer.fail(problem(error, path=scope["path"], request_id=asking.id))
            except _Answered:
                pass
            except Exception as error:  # noqa: BLE001 (the boundary of a request: the client learns that it failed, the log why)
                _log.error("request.broke", exc_info=error)
                asking.record.error_code = Defect.code
                await answer.fail(problem(unexpected(), path=scope["path"], request_id=asking.id))
            finally:
                self._life.leave(work=asked == "POST")
                self._running.leave(asking)
                self._metrics.active.dec()
                self._record(inner, asking, body, answer)
                body.forget()
                self._tell(inner, asking, answer.status)
                self._close(timeline, inner, asking, answer.status or CLIENT_LEFT)

    async def _serve(self, scope: Request, headers: Headers, asking: Asking, body: Body, answer: "_Answer") -> None:
        path: str = scope["path"]
        if self._life.draining and path not in ALWAYS:
            raise ending()
        if self._life.active > self._settings.requests_max and path not in ALWAYS:
            raise Overloaded(
                "This server already answers as many requests as it may.",
                hint="Try again in a moment, or raise `server.requests_max`.",
                retry_after_s=1,
            )
        host = self._neighbours.check_host(headers.getlist("host"))
        origin = self._neighbours.check_origin(headers, host)
        if origin is not None:
            if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
                await answer.send({"type": "http.response.start", "status": 204, "headers": preflight(origin, headers)})
                await answer.send({"type": "http.response.body"})
                return
            answer.extra = cors(origin)
        body.check()
        await self._admit(asking.meter.method, path, headers, asking)
        await self._app(scope, body.receive, answer.send)

    async def _admit(self, method: str, path: str, headers: Headers, asking: Asking) -> None:
        """Learn who asks. Raises what keeps them from asking this, here and now."""
        need = need_of(method, path)
        if need is Open.EVERYBODY or is_page(path, headers):
            return
        key, cookie = key_in(headers), cookie_in(headers)
        asking.caller = await self._gate.caller(key, cookie)
        if asking.caller.session is not None and cookie is not None:
            check_page(method, headers, cookie)
        if not isinstance(need, Open):
            asking.caller.check_scope(*({need} if isinstance(need, Scope) else need))
        await self._gate.admit(asking.caller)

    def _record(self, scope: Request, asking: Asking, body: Body, answer: "_Answer") -> None:
        """Hand in what the request came to, where it is one that is kept."""
        record, meter, path = asking.record, asking.meter, scope["path"]
        status = answer.status or CLIENT_LEFT
        if not is_kept(record.method, path, status):
            return
        record.caller = asking.caller.id
        record.dialect = dialect_of(path)
        record.endpoint = route_of(scope)
        record.model = record.model or meter.model
        record.status = status
        record.duration_us = round(meter.seconds * 1e6)
        record.first_token_us = None if meter.first_token_s is None else round(meter.first_token_s * 1e6)
        record.prompt_tokens, record.completion_tokens = meter.prompt_tokens, meter.completion_tokens
        record.cached_tokens = min(
            record.cached_tokens, record.prompt_tokens
        )  # of several choices the prompt counts once
        record.bytes_in, record.bytes_out = body.taken, answer.sent
        self._recorder.add(record)

    def _close(self, timeline: Timeline, scope: Request, asking: Asking, status: int) -> None:
        """Keep the timeline of a request that gets a row."""
        record, meter = asking.record, asking.meter
        if not is_kept(record.method, scope["path"], status):
            return
        first: dict[str, float] = {} if meter.first_token_s is None else {"first_token_seconds": meter.first_token_s}
        timeline.close(
            error=record.error_code,
            method=record.method,
            endpoint=route_of(scope),
            status=status,
            model=record.model or meter.model,
            provider=record.provider,
            attempts=record.attempts,
            prompt_tokens=meter.prompt_tokens,
            completion_tokens=meter.completion_tokens,
            **first,
        )
        self._timelines.add(timeline)

    def _tell(self, scope: Request, asking: Asking, status: int | None) -> None:
        meter = asking.meter
        if asking.caller.key_id is not None:
            self._gate.limits.took(asking.caller.key_id, meter.prompt_tokens + meter.completion_tokens)
        meter.route = route_of(scope)
        meter.finished(status or CLIENT_LEFT)
        _log.info(
            "request",
            method=meter.method,
            route=meter.route,
            status=status or CLIENT_LEFT,
            model=meter.model or None,
            ms=round(meter.seconds * 1000, 1),
            first_token_ms=None if meter.first_token_s is None else round(meter.first_token_s * 1000, 1),
            prompt_tokens=meter.prompt_tokens or None,
            completion_tokens=meter.completion_tokens or None,
        )


class _Answer:
    """The answer on its way out. Remembers how far it came, so that a failure knows what can still be said."""

    def __init__(self, send: Send, asked_id: str, body: Body, *, head: bool) -> None:
        self._send = send
        self._id = asked_id.encode()
        self._body = body
        self._head = head
        self._done = False
        self.extra: list[tuple[bytes, bytes]] = []
        self.status: int | None = None
        self.sent = 0  # bytes

    async def send(self, message: Message) -> None:
        """As ASGI wants it."""
        self.sent += len(message.get("body", b""))
        if message["type"] == "http.response.start":
            await self._start(message)
        elif self._head:
            await self._end_head(message)
        elif message.get("more_body", False) or self._body.complete:
            await self._send(message)
            self._done = not message.get("more_body", False)
        else:
            # The client is still sending. Closing on it would take the answer away from it unread.
            await self._send({**message, "more_body": True})
            await self._body.linger()
            await self._send({"type": "http.response.body"})
            self._done = True

    async def fail(self, refusal: Problem) -> None:
        """Say `refusal`, or, where the answer has begun, break it off so that the client sees that it is not whole."""
        if self.status is not None:
            return
        headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in refusal.headers.items()]
        headers.append((b"content-length", str(len(refusal.body)).encode()))
        await self.send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        try:
            await self.send({"type": "http.response.body", "body": refusal.body})
        except _Answered:
            return

    async def _start(self, message: Message) -> None:
        self.status = message["status"]
        headers = [*message.get("headers", []), *self.extra]
        headers.append((b"x-paddock-request-id", self._id))
        headers.append((b"x-content-type-options", b"nosniff"))
        if not self._body.complete:
            headers.append((b"connection", b"close"))
        await self._send({**message, "headers": headers})

    async def _end_head(self, message: Message) -> None:
        if self._done:
            raise _Answered
        self._done = True
        await self._send({"type": "http.response.body"})
        if message.get("more_body", False):
            raise _Answered


def route_of(scope: Request) -> str:
    """The route's pattern, never what stood in its place: a path may hold what somebody typed."""
    # Of a router within a router the framework keeps the whole pattern beside the route.
    route: Any = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return getattr(route, "path", None) or NO_ROUTE
