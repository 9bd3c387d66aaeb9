"""Whether the server takes new work, and how much it still does."""

import asyncio
from typing import Final

from paddock.errors import Draining

RETRY_AFTER_S: Final = 5


def ending() -> Draining:
    """What a request is told that comes too late."""
    return Draining(
        "This server is ending and takes no new requests.",
        hint="Ask again in a moment, once it runs again.",
        retry_after_s=RETRY_AFTER_S,
    )


def cut_off() -> Draining:
    """What an answer says that the end of the server breaks off."""
    return Draining(
        "This server has ended before the answer was complete.",
        hint="Ask again once it runs again; `server.drain_s` says how long answers may take to end.",
        retry_after_s=RETRY_AFTER_S,
    )


class Life:
    """Of one server. Belongs to one event loop."""

    def __init__(self) -> None:
        self._active = 0
        self._work = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.cut = asyncio.Event()  # set once running answers have had their time; each says so in its last words
        self.ending = asyncio.Event()  # set once the server ends; whoever streams without end stops at it

    @property
    def draining(self) -> bool:
        return self.ending.is_set()

    @property
    def active(self) -> int:
        """Requests that are being answered."""
        return self._active

    def enter(self, *, work: bool) -> None:
        """One more request; `leave` must follow. The end of the server waits for `work`, not for those who only watch."""
        self._active += 1
        if work:
            self._work += 1
            self._idle.clear()

    def leave(self, *, work: bool) -> None:
        self._active -= 1
        if work:
            self._work -= 1
            if not self._work:
                self._idle.set()

    def drain(self) -> None:
        """From now on nothing new is taken. Idempotent."""
        self.ending.set()

    async def idle(self) -> None:
        """Returns when no work is being done."""
        await self._idle.wait()
