"""Answers that go out while they are made, as server-sent events or lines of JSON; and work that ends when its client leaves.

    parts ──► writing ──► send        a slow client holds `writing` up, which holds the model's answer up: what waits is one
    clock ──► commenting ─┘           answer at the most. One that reads nothing at all is cut off by the connection itself,
    receive ──► leaving               after `server.write_timeout_s`; that looks as if it had left.

Whichever of the three ends first ends the others, and so does `cut`, when the server has no more time: a stream then says
in its last words that it is not whole; `parts` is closed before the response returns, which cancels the request.

sse-starlette's EventSourceResponse was measured beside this, with a client that costs nothing: 24 µs of CPU for each event,
and 29 with its formatter, for the lock and the timeout around each send; this takes 4.4 µs, 3 of them for the model's side.
The other also replaces uvicorn's signal handler when it is imported, and cuts streams as soon as the server is told to end,
which is when ours are to be finished.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from paddock.errors import Interrupted, PaddockError
from paddock.server.life import cut_off


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """How the parts of a stream are told apart, and what may stand between them."""

    media_type: str
    comment: bytes  # keeps a connection open while no part comes; empty where the form has nothing that says nothing


EVENTS: Final = Framing(media_type="text/event-stream", comment=b": waiting\n\n")
LINES: Final = Framing(media_type="application/x-ndjson", comment=b"")

Result = TypeVar("Result")


class ClientLeft(Interrupted):
    """Nobody waits for the answer any more."""

    code = "client_left"

    def __init__(self) -> None:
        super().__init__("The client closed the connection.", hint="Keep it open until the answer has come.")


def watch_client(receive: Receive) -> asyncio.Task[None]:
    """A task that ends when the client leaves. The body must have been read; whoever asked for the task cancels it."""

    async def leaving() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    return asyncio.create_task(leaving())


async def unless_left(
    work: Coroutine[Any, Any, Result], leaving: asyncio.Task[None], *, cut: asyncio.Event | None = None
) -> Result:
    """What `work` returns. With `work` cancelled and ended it raises ClientLeft when the client leaves before, and Draining
    when `cut` is set before."""
    task = asyncio.create_task(work)
    cutting = [asyncio.create_task(cut.wait())] if cut is not None else []
    try:
        await asyncio.wait({task, leaving, *cutting}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientLeft if leaving.done() else cut_off()
    finally:
        await end(task, *cutting)


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel them and wait until they are gone, whatever they raise."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class EventStream(Response):
    """Sends `parts` as they come, each as it stands; while none comes, comments that keep the connection open."""

    def __init__(
        self,
        parts: AsyncGenerator[bytes],
        *,
        leaving: asyncio.Task[None],
        comment_s: float,
        headers: Mapping[str, str],
        clock: Callable[[], float],
        framing: Framing = EVENTS,
        cut: asyncio.Event | None = None,
        failure: Callable[[PaddockError], bytes] = lambda _: b"",
    ) -> None:
        """`parts` raises nothing: failures are events, too. `leaving` is watch_client's, and ends with the response.
        When `cut` is set, the stream ends with the part that `failure` makes of that."""
        self.status_code = 200
        self.media_type = framing.media_type
        self.background = None
        self._parts = parts
        self._leaving = leaving
        self._comment = framing.comment
        self._comment_s = comment_s
        self._clock = clock
        self._cut = cut
        self._failure = failure
        self._last = 0.0
        self._begun = False
        self.init_headers({**headers, "cache-control": "no-store", "x-accel-buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        writing = asyncio.create_task(self._write(send))
        commenting = asyncio.create_task(self._say_nothing(send))
        cutting = [asyncio.create_task(self._cut.wait())] if self._cut is not None else []
        try:
            await asyncio.wait({writing, self._leaving, *cutting}, return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                writing.result()
            elif not self._leaving.done():
                await end(writing, commenting)
                await self._break_off(send)
        finally:
            await end(writing, commenting, *cutting, self._leaving)

    async def _write(self, send: Send) -> None:
        async with aclosing(self._parts) as parts:
            await self._begin(send)
            async for part in parts:
                self._last = self._clock()
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _begin(self, send: Send) -> None:
        self._begun = True
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        self._last = self._clock()

    async def _break_off(self, send: Send) -> None:
        """The stream ends as one that failed does. Each part goes out whole, so this one stands on its own."""
        if not self._begun:
            await self._begin(send)
        await send({"type": "http.response.body", "body": self._failure(cut_off()), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _say_nothing(self, send: Send) -> None:
        """One task that sleeps; a stream whose tokens come pays nothing for it."""
        while self._comment:
            await asyncio.sleep(self._comment_s)
            if self._last and self._clock() - self._last >= self._comment_s:
                await send({"type": "http.response.body", "body": self._comment, "more_body": True})
