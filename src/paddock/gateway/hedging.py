"""A hedged start: when the first target is slow to say its first word, a second one is asked as well, and one answers.

        first   ──── nothing ─────────────── cancelled
                        hedge_s
        second                  ──── first word ──── answers

Every contestant runs in a task of its own, so that to cancel the task is to close its request, wherever that is.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

from paddock.errors import PaddockError
from paddock.gateway.attempts import Attempts, out_of_time
from paddock.gateway.routing import Target
from paddock.providers.provider import AnswerEvent, Piece, Provider

_AHEAD_MAX: Final = 16  # events that a contestant may have ready
Start = Callable[[Target, Provider], AsyncGenerator[AnswerEvent]]
Next = asyncio.Task[tuple[Target, Provider] | None]


class Contestant:
    """One target that was asked. What it says comes through a queue; what ends it comes last."""

    def __init__(self, target: Target, events: AsyncGenerator[AnswerEvent]) -> None:
        self.target = target
        self.before: list[AnswerEvent] = []  # what it said before its first word
        self._queue: asyncio.Queue[AnswerEvent | Exception | None] = asyncio.Queue(_AHEAD_MAX)
        self._task = asyncio.create_task(self._run(events))
        self.first = asyncio.create_task(self._first())

    async def next(self) -> AnswerEvent | None:
        """None at the end. Raises what went wrong."""
        event = await self._queue.get()
        if isinstance(event, Exception):
            raise event
        return event

    async def leave(self) -> None:
        """Its request is closed when this returns."""
        for task in (self._task, self.first):
            task.cancel()
        await asyncio.gather(self._task, self.first, return_exceptions=True)

    async def _first(self) -> Piece | None:
        while (event := await self.next()) is not None:
            if isinstance(event, Piece):
                return event
            self.before.append(event)
        return None

    async def _run(self, events: AsyncGenerator[AnswerEvent]) -> None:
        end: Exception | None = None
        try:
            async with aclosing(events):
                async for event in events:
                    await self._queue.put(event)
        except Exception as error:  # noqa: BLE001  (the boundary of a task: whoever reads the queue is told)
            end = error
        await self._queue.put(end)


class Race:
    """Until one of two has said something. `winner` is None when both have failed; their failures are noted."""

    def __init__(self, attempts: Attempts, start: Start, sleep: Callable[[float], Awaitable[None]]) -> None:
        self.winner: Contestant | None = None
        self._attempts = attempts
        self._start = start
        self._sleep = sleep
        self._running: list[Contestant] = []
        self._calling = False  # the second is being looked for: that may not be broken off, or nobody else is asked

    async def run(
        self, target: Target, provider: Provider, hedge_s: float, targets: AsyncGenerator[tuple[Target, Provider]]
    ) -> None:
        """Ask `target`, and after `hedge_s` the next of `targets`, too."""
        self._running.append(Contestant(target, self._start(target, provider)))
        following: Next = asyncio.create_task(self._following(hedge_s, targets))
        called = False
        try:
            while self.winner is None and (self._running or not called):
                if not self._running and not self._calling:
                    return  # it failed before a second was called: the ordinary loop goes on
                waiting: list[asyncio.Task[Any]] = [each.first for each in self._running]
                waiting += [] if called else [following]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for each in list(self._running):
                    if self.winner is None and each.first.done():
                        self._settle(each)
                if self._attempts.is_final:
                    return
                if self.winner is None and not called and following.done():
                    called = True
                    if (second := following.result()) is not None:
                        self._running.append(Contestant(second[0], self._start(*second)))
        finally:
            following.cancel()
            found = (await asyncio.gather(following, return_exceptions=True))[0]
            if not called and isinstance(found, tuple):
                self._attempts.ended(found[0])  # it was found in the very moment in which the first one spoke
            for each in list(self._running):
                if each is not self.winner:
                    await self._drop(each)

    async def close(self) -> None:
        """Whoever is still there leaves."""
        for each in list(self._running):
            await self._drop(each)

    async def _following(
        self, hedge_s: float, targets: AsyncGenerator[tuple[Target, Provider]]
    ) -> tuple[Target, Provider] | None:
        await self._sleep(hedge_s)
        self._calling = True
        return await anext(targets, None)

    def _settle(self, one: Contestant) -> None:
        """Its first word, or what kept it from saying one."""
        try:
            if one.first.result() is not None:
                self.winner = one
                return
            error: PaddockError | None = None
        except TimeoutError:
            error = out_of_time(one.target)
        except PaddockError as failure:
            error = failure
        self._running.remove(one)
        if error is not None:
            self._attempts.failed(one.target, error)
        self._attempts.ended(one.target)

    async def _drop(self, one: Contestant) -> None:
        self._running.remove(one)
        await one.leave()
        self._attempts.ended(one.target)
