"""Several answers as one stream of events."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeVar

Event = TypeVar("Event")


async def merged(sources: Sequence[AsyncGenerator[Event]]) -> AsyncGenerator[tuple[int, Event]]:
    """What comes from any of `sources`, with the number of the one it came from, until all have ended.

    The first failure ends all and is raised. Leaving the iteration closes every source before it returns. A slow reader holds
    the sources up: at most one event of each waits.
    """
    if len(sources) == 1:  # nearly always; no task and no queue then
        async with aclosing(sources[0]) as source:
            async for event in source:
                yield 0, event
        return
    came: asyncio.Queue[tuple[int, Event] | BaseException | None] = asyncio.Queue(maxsize=len(sources))

    async def read(number: int, source: AsyncGenerator[Event]) -> None:
        try:
            async with aclosing(source):
                async for event in source:
                    await came.put((number, event))
        except Exception as error:  # noqa: BLE001  (a task boundary: the reader raises it)
            await came.put(error)
        else:
            await came.put(None)

    readers = [asyncio.create_task(read(number, source)) for number, source in enumerate(sources)]
    try:
        running = len(readers)
        while running:
            event = await came.get()
            if isinstance(event, BaseException):
                raise event
            if event is None:
                running -= 1
            else:
                yield event
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
