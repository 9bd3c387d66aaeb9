"""Who watches a pull: the meter that the transfer's threads feed, and the queues of those who follow its events."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from paddock.hub.progress import PullProgress
from paddock.library.pulling.plan import Plan
from paddock.vocabulary import ProgressEvent, PullStatus

_EVENTS_KEPT = 64  # a follower that does not read loses the oldest events, never the last


class PullWatch:
    """One pull's progress. The meter may be fed from any thread; everything else belongs to the event loop."""

    def __init__(self, plan: Plan, *, clock: Callable[[], float], now: Callable[[], datetime]) -> None:
        first = {file.key: file.path for file in reversed(plan.files)}
        self.progress = PullProgress(
            {file.path: file.size if first[file.key] == file.path else 0 for file in plan.files},
            here=[file.path for file in plan.files if file.here],
            clock=clock,
            now=now,
        )
        self._followers: set[asyncio.Queue[ProgressEvent | None]] = set()
        self._last = self.progress.event()
        self._ended = False

    @property
    def downloaded_bytes(self) -> int:
        return self.progress.downloaded_bytes

    def tick(self) -> ProgressEvent:
        """The event for this moment, told to everyone who follows."""
        self._tell(self.progress.event())
        return self._last

    def set_status(self, status: PullStatus) -> None:
        self.progress.set_status(status)
        self.tick()

    def end(self, status: PullStatus, error: str | None) -> None:
        """The last event; followers end after it."""
        self.progress.set_status(status, error)
        self.tick()
        self._ended = True
        for queue in self._followers:
            _put(queue, None)

    async def follow(self) -> AsyncIterator[ProgressEvent]:
        """The latest event at once, then each one as it comes, to the last."""
        yield self._last
        if self._ended:
            return
        queue: asyncio.Queue[ProgressEvent | None] = asyncio.Queue(_EVENTS_KEPT)
        self._followers.add(queue)
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._followers.discard(queue)

    def _tell(self, event: ProgressEvent) -> None:
        self._last = event
        for queue in self._followers:
            _put(queue, event)


def _put(queue: "asyncio.Queue[ProgressEvent | None]", event: ProgressEvent | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(event)
