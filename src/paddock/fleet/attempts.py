"""Answers across the lives of a runner's process: a crash costs those who have seen a token, and the one who caused it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import Any, Final, TypeVar

from paddock.errors import CrashedTwice, DeadlinePassed, Overloaded, PaddockError
from paddock.fleet.due import GRACE_S, Due
from paddock.fleet.link import Link
from paddock.fleet.naming import in_line
from paddock.fleet.probation import Probation
from paddock.vocabulary import GenerateEvent, GenerateRequest

T = TypeVar("T")

_log: Final = logging.getLogger(__name__)


class _Lost(Exception):
    """The process ended before the first piece came; nobody has seen anything of the answer."""

    def __init__(self, reason: PaddockError) -> None:
        super().__init__(reason.message)
        self.reason = reason


class Attempts:
    """One runner's requests. Each gets one more try when the process ends before its first token, and never a third."""

    def __init__(self, name: str, ready_link: Callable[[], Awaitable[Link]], *, waiting_max: int) -> None:
        """`ready_link` waits for the live connection, and raises when there will be none."""
        self._name = name
        self._ready_link = ready_link
        self._waiting = 0
        self._waiting_max = waiting_max
        self._probation = Probation()
        self._left: Link | None = None  # whose trial ended without a verdict: what it began there may still go on

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[GenerateEvent]:
        """See Runner."""
        due = Due(request)
        for is_last in (False, True):
            async with due.limit():
                link = await (self._after_trials() if is_last else self._admitted())
            try:
                async with aclosing(_answer(link, due)) as events:
                    async for event in events:
                        yield event
                return
            except _Lost as lost:
                _log.warning(
                    "runner.request_lost name=%s pid=%d request=%s", self._name, link.pid, in_line((request.id,))
                )
                if is_last or link.was_closed:
                    raise lost.reason from None
            async with due.limit(grace_s=GRACE_S), self._probation.trial():
                await self._try_alone(due, request)

    async def call(self, due: Due[Any], ask: Callable[[Link], Awaitable[T]]) -> T:
        """What `ask` brings over a live connection, for what has no pieces that anybody could have seen.

        Asked again, alone, when the process ends over it. Raises CrashedTwice when it ends again.
        """
        async with due.limit():
            link = await self._admitted()
            try:
                return await ask(link)
            except PaddockError as error:
                if error is not link.reason or link.was_closed:
                    raise
        _log.warning("runner.request_lost name=%s pid=%d request=%s", self._name, link.pid, in_line((due.request_id,)))
        async with due.limit(), self._probation.trial():
            return await self._ask_alone(due, ask)

    async def _ask_alone(self, due: Due[Any], ask: Callable[[Link], Awaitable[T]]) -> T:
        link = await self._ready_link()
        try:
            return await ask(link)
        except (asyncio.CancelledError, DeadlinePassed):
            self._left = link
            raise
        except PaddockError as error:
            if error is not link.reason or link.was_closed:
                raise
            if self._is_anothers(link):
                return await self._ask_alone(due, ask)
            raise self._crashed_twice(due.request_id, link, error) from error

    async def _try_alone(self, due: Due[GenerateRequest], request: GenerateRequest) -> None:
        """Its prompt and one token. Raises CrashedTwice when the process ends over it, and what is wrong with the request."""
        async with due.limit():
            link = await self._ready_link()
        try:
            async with aclosing(_answer(link, due, tokens_max=1)) as events:
                async for _ in events:
                    pass
        except (asyncio.CancelledError, DeadlinePassed):
            self._left = link
            raise
        except _Lost as lost:
            if link.was_closed:
                raise lost.reason from None
            if self._is_anothers(link):
                return await self._try_alone(due, request)
            raise self._crashed_twice(request.id, link, lost.reason) from lost.reason

    def _is_anothers(self, link: Link) -> bool:
        """Whether somebody went away from his trial in that process: it may have ended over a step of his. True once."""
        left, self._left = self._left, None
        return left is link

    def _crashed_twice(self, request_id: str, link: Link, reason: PaddockError) -> CrashedTwice:
        _log.error(
            "runner.request_crashed_twice name=%s pid=%d request=%s", self._name, link.pid, in_line((request_id,))
        )
        return CrashedTwice(
            f"Request `{request_id}` ended the process of `{self._name}` twice, the second time alone: "
            f"it is the likely cause. {reason.message}",
            hint="Do not send it again as it is: change its prompt or its settings. Other requests are answered.",
        )

    async def _admitted(self) -> Link:
        """The live connection, once nobody is on trial."""
        link = await self._ready_link()
        while not self._probation.is_over:
            with self._place_in_line():
                await self._probation.over()
            link = await self._ready_link()
        return link

    async def _after_trials(self) -> Link:
        """The live connection, for whoever passed its own trial."""
        await self._probation.over()
        return await self._ready_link()

    @contextmanager
    def _place_in_line(self) -> Generator[None]:
        if self._waiting >= self._waiting_max:
            raise Overloaded(
                f"{self._waiting} requests wait already while `{self._name}` recovers from a crash.",
                hint="Try again in a moment.",
            )
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1


async def _answer(
    link: Link, due: Due[GenerateRequest], *, tokens_max: int | None = None
) -> AsyncGenerator[GenerateEvent]:
    """What comes over `link`. Raises _Lost when that ends before anything came, else what ended the answer."""
    request = due.remaining()
    if tokens_max is not None:
        request = replace(request, sampling=replace(request.sampling, max_tokens=tokens_max))
    started = False
    try:
        wire_id, answer = await link.submit(request)
        try:
            while True:
                async with due.limit(grace_s=GRACE_S):
                    event = await answer.take()
                started = True
                yield event
                if event.finish_reason is not None:
                    return
        finally:
            link.forget(wire_id)
    except PaddockError as error:
        if started or error is not link.reason:
            raise
        raise _Lost(error) from error
