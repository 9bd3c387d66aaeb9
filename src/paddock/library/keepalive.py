"""How long an idle model stays in memory, as people and other tools write it.

30m  1h30m  2d  1.5h     that long after its last request
300                      seconds
forever  -1  -1m         until it is unloaded or evicted (Ollama counts every negative value so)
0  0s                    not at all: unloaded as soon as it is idle
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from paddock.config.units import FOREVER, format_duration, parse_duration
from paddock.errors import UsageError

_NEGATIVE = re.compile(r"-\s*\d[\d.]*\s*(?:ns|us|µs|ms|s|m|h|d)?(?:\d[\d.]*(?:ns|us|µs|ms|s|m|h|d))*", re.IGNORECASE)
_TEXT_MAX = 64


@dataclass(frozen=True, slots=True, order=True)
class KeepAlive:
    """A time after the last request; `FOREVER` is the longest. Reads and writes the same text."""

    duration: timedelta

    @classmethod
    def parse(cls, value: str | float) -> Self:
        """Raises UsageError for what is no keep-alive, or longer than ten years."""
        text = str(value).strip()
        try:
            if isinstance(value, bool) or len(text) > _TEXT_MAX:
                raise ValueError(text)
            if _NEGATIVE.fullmatch(text):
                return cls(FOREVER)
            return cls(parse_duration(text))
        except ValueError as error:
            raise UsageError(
                f"`{text[:_TEXT_MAX]}` is not a keep-alive time.",
                hint="Write `30m`, `1h30m`, a number of seconds, `0` to unload at once, or `forever`.",
            ) from error

    @property
    def is_forever(self) -> bool:
        return self.duration == FOREVER

    @property
    def is_none(self) -> bool:
        """True when the model is to leave as soon as it is idle."""
        return not self.duration

    @property
    def seconds(self) -> float | None:
        """None when it never ends."""
        return None if self.is_forever else self.duration.total_seconds()

    def __str__(self) -> str:
        """The shortest spelling: `30m`, `1h30m`, `forever`, `0s`."""
        return format_duration(self.duration)
