"""How often a key asks, and how many tokens it takes: counted in memory, and now and then in its row."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

from paddock.errors import OverLimit

_MINUTE_S: Final = 60.0


@dataclass(slots=True)
class Use:
    """One key's use: what is left of its minute, and what its day took."""

    left: float  # requests; refilled steadily up to a minute's worth
    burst: float  # that minute's worth
    at: float
    day: str
    tokens: int
    unwritten: int = 0
    used_at: datetime | None = None


class Limits:
    """Of all keys of one server."""

    def __init__(self, *, clock: Callable[[], float], now: Callable[[], datetime]) -> None:
        self._clock = clock
        self._now = now
        self._uses: dict[str, Use] = {}

    def check(
        self,
        key_id: str,
        *,
        requests_per_minute: int | None,
        tokens_per_day: int | None,
        written: tuple[str | None, int],
    ) -> None:
        """One more request. `written` is the day and the tokens in the key's row. Raises OverLimit, and counts nothing."""
        use = self._use(key_id, requests_per_minute, written)
        now = self._now()
        if tokens_per_day is not None and use.tokens >= tokens_per_day:
            tomorrow = datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
            raise OverLimit(
                f"This key's {tokens_per_day:,} tokens of today are used up.",
                hint="They are counted anew from midnight, UTC.",
                retry_after_s=max(1.0, (tomorrow - now).total_seconds()),
            )
        if requests_per_minute is not None:
            if use.left < 1.0:
                wait = (1.0 - use.left) * _MINUTE_S / requests_per_minute
                raise OverLimit(
                    f"This key may ask {requests_per_minute:,} times a minute.",
                    hint=f"Try again in {max(1.0, wait):.0f} seconds.",
                    retry_after_s=wait,
                )
            use.left -= 1.0
        use.used_at = now

    def took(self, key_id: str, tokens: int) -> None:
        """An answer took so many tokens, the prompt's included."""
        use = self._uses.get(key_id)
        if use is not None and tokens > 0:
            self._turn_day(use)
            use.tokens += tokens
            use.unwritten += tokens

    def take_unwritten(self) -> list[tuple[str, Use]]:
        """What has to be written down, by key; from now on it counts as written."""
        found: list[tuple[str, Use]] = []
        for key_id, use in self._uses.items():
            if use.used_at is not None:
                found.append(
                    (key_id, Use(use.left, use.burst, use.at, use.day, use.tokens, use.unwritten, use.used_at))
                )
                use.unwritten, use.used_at = 0, None
        return found

    def forget(self, key_id: str) -> None:
        """The key is gone."""
        self._uses.pop(key_id, None)

    def _use(self, key_id: str, requests_per_minute: int | None, written: tuple[str | None, int]) -> Use:
        clock = self._clock()
        burst = float(requests_per_minute or 0)
        use = self._uses.get(key_id)
        if use is None:
            day = self._day()
            use = self._uses[key_id] = Use(burst, burst, clock, day, written[1] if written[0] == day else 0)
        self._turn_day(use)
        if use.burst != burst:  # the key has other terms now
            use.left = use.burst = burst
        use.left = min(burst, use.left + (clock - use.at) * burst / _MINUTE_S)
        use.at = clock
        return use

    def _turn_day(self, use: Use) -> None:
        day = self._day()
        if use.day != day:
            use.day, use.tokens, use.unwritten = day, 0, 0

    def _day(self) -> str:
        return self._now().astimezone(UTC).date().isoformat()
