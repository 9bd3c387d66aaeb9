"""A hedged start: two may be asked, one answers, and the other is cancelled where it is. Nobody waits for real time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from paddock.errors import ProviderFailed, UsageError
from paddock.providers.provider import Piece
from tests.fakes.clouds import Act, Cloud
from tests.providers.asking import ask, hear

from .test_gateway import FIRST, SECOND, World, world


class Signal:
    """A sleep that ends when the test says that its time is over."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.asked: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        await self.over.wait()


@asynccontextmanager
async def hedged(*kinds: str, after_s: float = 2.0) -> AsyncIterator[tuple[World, Signal]]:
    async with world(*kinds) as w:
        signal = Signal()
        w.time.sleep = signal.sleep  # type: ignore[method-assign]
        object.__setattr__(w.gateway._means, "sleep", signal.sleep)
        w.hedge_s = {"rule:r": after_s}
        yield w, signal


async def until(holds: object) -> None:
    assert callable(holds)
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.005)


def left(cloud: Cloud) -> bool:
    return bool(cloud.asked) and cloud.asked[-1].left


async def test_a_slow_first_is_overtaken_and_cancelled() -> None:
    async with hedged("openai", "anthropic") as (w, signal):
        w[FIRST].next(Act(wait_first=asyncio.Event()))
        hearing = asyncio.create_task(hear(w.gateway, ask()))
        await until(lambda: w[FIRST].asked)
        assert w.asked == [1, 0], "its time is not over"
        signal.over.set()
        heard = await hearing
        assert heard.text() == "Hello from afar", "once"
        assert signal.asked == [2.0]
        assert w.asked == [1, 1]
        last = heard.accepted[-1]
        assert (last.provider, last.attempts) == (SECOND, 2), "both are counted"
        await until(lambda: left(w[FIRST]))
        assert w.breakers.status() == [], "to be slow is no failure"


async def test_a_first_that_speaks_at_last_wins_and_the_second_is_cancelled() -> None:
    async with hedged("openai", "openai") as (w, signal):
        hold = asyncio.Event()
        w[FIRST].next(Act(wait_first=hold))
        w[SECOND].next(Act(wait_first=asyncio.Event()))
        hearing = asyncio.create_task(hear(w.gateway, ask()))
        signal.over.set()
        await until(lambda: w[SECOND].asked)
        hold.set()
        heard = await hearing
        assert heard.text() == "Hello from afar"
        last = heard.accepted[-1]
        assert (last.provider, last.attempts) == (FIRST, 2)
        await until(lambda: left(w[SECOND]))


async def test_a_quick_first_asks_nobody_else() -> None:
    async with hedged("openai", "openai") as (w, _):
        heard = await hear(w.gateway, ask())
        assert (heard.accepted[-1].provider, heard.accepted[-1].attempts) == (FIRST, 1)
        assert w.asked == [1, 0]


async def test_it_is_off_until_it_is_set() -> None:
    async with hedged("openai", "openai") as (w, signal):
        w.hedge_s = {"rule:other": 1.0}
        assert (await hear(w.gateway, ask())).text() == "Hello from afar"
        assert signal.asked == []


async def test_a_first_that_fails_goes_on_to_the_next_as_ever() -> None:
    async with hedged("openai", "openai") as (w, _):
        w[FIRST].next(Act(status=500))
        heard = await hear(w.gateway, ask())
        assert (heard.text(), heard.accepted[-1].provider) == ("Hello from afar", SECOND)
        assert w.asked == [1, 1]


async def test_when_both_fail_that_is_told_and_what_the_caller_did_wrong_ends_it() -> None:
    async with hedged("openai", "openai") as (w, signal):
        hold = asyncio.Event()
        w[FIRST].next(Act(wait_first=hold, cut_after=0))
        w[SECOND].always = Act(status=503)
        hearing = asyncio.create_task(hear(w.gateway, ask()))
        await until(lambda: w[FIRST].asked)
        signal.over.set()
        await until(lambda: w[SECOND].asked)
        w[FIRST].always = Act(status=500)
        hold.set()
        with pytest.raises(ProviderFailed) as caught:
            await hearing
        assert "Also tried" in caught.value.hint
    async with hedged("openai", "openai") as (w, signal):
        w[FIRST].next(Act(wait_first=asyncio.Event()))
        w[SECOND].next(Act(status=400))
        hearing = asyncio.create_task(hear(w.gateway, ask()))
        await until(lambda: w[FIRST].asked)
        signal.over.set()
        with pytest.raises(UsageError):
            await hearing
        await until(lambda: left(w[FIRST]))


async def test_who_leaves_leaves_both() -> None:
    async with hedged("openai", "openai") as (w, signal):
        for cloud in w.clouds.values():
            cloud.next(Act(wait_first=asyncio.Event()))
        hearing = asyncio.create_task(hear(w.gateway, ask()))
        signal.over.set()
        await until(lambda: w[SECOND].asked)
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
        await until(lambda: left(w[FIRST]) and left(w[SECOND]))


async def test_after_the_first_word_nobody_takes_over() -> None:
    async with hedged("openai", "openai") as (w, _):
        w[FIRST].next(Act(cut_after=4))
        said: list[str] = []

        async def listen() -> None:
            async for event in w.gateway.answer(ask()):
                said.append(event.event.text if isinstance(event, Piece) else "")

        with pytest.raises(ProviderFailed):
            await listen()
        assert "".join(said)
        assert w.asked == [1, 0]
