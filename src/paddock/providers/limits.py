"""What a provider says of how much one may ask, in the two ways in which it is said."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_VALUE_CHARACTERS_MAX: Final = 64
_WAIT_MAX_S: Final = 86_400.0
_OPENAI: Final = "x-ratelimit-{what}-{of}"
_ANTHROPIC: Final = "anthropic-ratelimit-{of}-{what}"
_WHAT: Final = ("limit", "remaining", "reset")
_OF: Final = ("requests", "tokens")


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What was told, as it was written: (`remaining`, `tokens`) to `149984`."""

    told: Mapping[tuple[str, str], str]

    def headers(self, *, anthropic: bool) -> Mapping[str, str]:
        """The same in the words of one dialect."""
        form = _ANTHROPIC if anthropic else _OPENAI
        return {form.format(what=what, of=of): value for (what, of), value in self.told.items()}


NO_LIMITS: Final = RateLimits({})


def limits_of(headers: Mapping[str, str]) -> RateLimits:
    """What the headers of an answer tell, whichever dialect they are in."""
    told: dict[tuple[str, str], str] = {}
    for what in _WHAT:
        for of in _OF:
            value = headers.get(_OPENAI.format(what=what, of=of)) or headers.get(_ANTHROPIC.format(what=what, of=of))
            if value and len(value) <= _VALUE_CHARACTERS_MAX and value.isascii() and value.isprintable():
                told[what, of] = value
    return RateLimits(told) if told else NO_LIMITS


def retry_after_s(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """When the far side wants to be asked again: seconds, milliseconds or a date. None when it does not say."""
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return min(milliseconds / 1000, _WAIT_MAX_S)
    text = headers.get("retry-after")
    if (seconds := _number(text)) is not None:
        return min(seconds, _WAIT_MAX_S)
    try:
        at = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return min(max(0.0, (at - (now or datetime.now(UTC))).total_seconds()), _WAIT_MAX_S)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
