"""Whoever guesses has to wait: a few tries are free, then each costs twice the time of the one before."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from paddock.errors import TooManyAttempts

ENTRIES_MAX: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast one thing may be tried."""

    free: int  # tries before the first wait
    first_s: float = 1.0
    longest_s: float = 900.0

    def wait_s(self, tries: int) -> float:
        """Seconds to wait after so many tries that failed."""
        over = tries - self.free
        return 0.0 if over < 0 else min(self.longest_s, self.first_s * 2.0 ** min(over, 32))


@dataclass(slots=True)
class _Tries:
    count: int
    again_at: float  # no sooner
    last: float


class Throttle:
    """Counts tries by whatever they are about. A try counts when it begins, so that many at once are not free."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tries: OrderedDict[tuple[str, ...], _Tries] = OrderedDict()

    def begin(self, paces: dict[tuple[str, ...], Pace]) -> None:
        """A try that counts for each of these. Raises TooManyAttempts, and counts nothing, when one of them has to wait."""
        now = self._clock()
        wait = max((self._wait(about, pace, now) for about, pace in paces.items()), default=0.0)
        if wait > 0:
            raise TooManyAttempts(
                "Too many attempts failed.", hint=f"Try again in {wait:.0f} seconds.", retry_after_s=wait
            )
        for about, pace in paces.items():
            tries = self._tries.setdefault(about, _Tries(0, now, now))
            tries.count += 1
            tries.last = now
            tries.again_at = now + pace.wait_s(tries.count)
            self._tries.move_to_end(about)
        while len(self._tries) > ENTRIES_MAX:
            self._tries.popitem(last=False)

    def succeeded(self, *abouts: tuple[str, ...]) -> None:
        """It was right: what failed before is forgotten."""
        for about in abouts:
            self._tries.pop(about, None)

    def _wait(self, about: tuple[str, ...], pace: Pace, now: float) -> float:
        tries = self._tries.get(about)
        if tries is None:
            return 0.0
        if now - tries.last >= 2 * pace.longest_s:  # long ago
            del self._tries[about]
            return 0.0
        return max(0.0, tries.again_at - now)
