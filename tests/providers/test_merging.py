"""Several answers as one stream: nothing is lost, the first failure ends all, and leaving closes everything."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from paddock.errors import GenerationFailed
from paddock.providers.merging import merged


class Source:
    """Counts up, and remembers how far it came and whether it was closed."""

    def __init__(self, count: int, *, fails: bool = False) -> None:
        self._count = count
        self._fails = fails
        self.given = 0
        self.closed = False

    async def events(self) -> AsyncGenerator[int]:
        try:
            for number in range(self._count):
                await asyncio.sleep(0)
                self.given += 1
                yield number
            if self._fails:
                raise GenerationFailed("It broke.", hint="Try again.")
        finally:
            self.closed = True


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_everything_of_every_source_comes_in_its_order(count: int) -> None:
    sources = [Source(7) for _ in range(count)]
    came: dict[int, list[int]] = {}
    async for number, event in merged([source.events() for source in sources]):
        came.setdefault(number, []).append(event)
    assert came == {number: list(range(7)) for number in range(count)}


@pytest.mark.parametrize("count", [1, 3])
async def test_a_failure_ends_all(count: int) -> None:
    """The answers of one request are all given or none."""
    sources = [Source(3, fails=True), *(Source(100_000) for _ in range(count - 1))]
    with pytest.raises(GenerationFailed):
        async for _ in merged([source.events() for source in sources]):
            pass
    assert all(source.closed for source in sources)
    assert all(source.given < 100_000 for source in sources)


@pytest.mark.parametrize("count", [1, 3])
async def test_leaving_closes_every_source_before_it_returns(count: int) -> None:
    """A model must not write on for nobody."""
    sources = [Source(100_000) for _ in range(count)]
    async with aclosing(merged([source.events() for source in sources])) as events:
        await anext(events)
        await asyncio.sleep(0.01)
    assert all(source.closed for source in sources)
    assert max(source.given for source in sources) < 100  # a reader that waits is waited for
