"""Time that passes when a test says so."""

import asyncio
import time


class VirtualTime:
    """A clock, and a sleep that takes no time but moves it on."""

    def __init__(self) -> None:
        self._now = 1000.0
        self.slept: list[float] = []
        self.real = False  # budgets are waited for on the real clock

    def clock(self) -> float:
        return time.monotonic() if self.real else self._now

    def pass_(self, seconds: float) -> None:
        self._now += seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._now += seconds
        await asyncio.sleep(0)
