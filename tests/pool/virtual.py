"""An event loop in which waiting takes no time: when nobody has anything to do, the clock jumps to the next timer."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_STEPS_MAX = 200_000


class Stuck(AssertionError):
    """Nobody has anything to do any more, and somebody still waits."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Real asyncio; only its clock is made up."""

    def __init__(self) -> None:
        self._now = 0.0
        self._steps = 0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._now

    def jump(self, timeout_s: float | None) -> None:
        self._steps += 1
        if timeout_s is None or self._steps > _STEPS_MAX:
            raise Stuck(f"nobody will ever do anything again at {self._now}")
        self._now += max(timeout_s, 0.0)


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            self._loop.jump(timeout)
        return ready


def run_virtually(story: Coroutine[Any, Any, T]) -> T:
    """Run `story` on a clock that begins at 0. Raises Stuck when it can never end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story)
