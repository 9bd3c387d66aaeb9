"""Regular expressions that take time in proportion to the text, whatever the pattern: RE2 behind four typed functions."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import re2  # pyright: ignore[reportMissingTypeStubs] (it has none)

from paddock.errors import UsageError

_ONE_BYTES_MAX: Final = 1 << 20
_SET_BYTES_MAX: Final = 64 << 20
_REMEMBERED: Final = 1024

_re2: Any = re2


class Together:
    """Many patterns that go over a text at once."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Each is valid (`fault`). Raises UsageError when all of them take too much memory."""
        self._empty = not patterns
        self._set = _re2.Set.FullMatchSet(_limits(_SET_BYTES_MAX))
        try:
            for pattern in patterns:
                self._set.Add(pattern)
            self._set.Compile()
        except _re2.error as error:
            raise UsageError(
                f"{len(patterns):,} regular expressions like these take more memory than all may have together.",
                hint="Use prefixes where they do, or fewer and shorter expressions.",
                param="pattern",
            ) from error

    def first(self, text: str) -> int | None:
        """The number of the first pattern that fits the whole of `text`."""
        encoded = None if self._empty else _encoded(text)
        fitting = self._set.Match(encoded) if encoded is not None else None
        return min(fitting) if fitting else None


def groups(pattern: str, text: str) -> tuple[str, ...] | None:
    """What the groups of a valid pattern catch of `text`; None when it does not fit the whole of it."""
    if _encoded(text) is None:
        return None
    found = _compiled(pattern).fullmatch(text)
    return None if found is None else tuple(group or "" for group in found.groups())


def group_count(pattern: str) -> int:
    """How many groups a valid pattern has."""
    return int(_compiled(pattern).groups)


def fault(pattern: str) -> str | None:
    """What is wrong with `pattern`; None when nothing is."""
    try:
        _compiled(pattern)
    except _re2.error as error:
        reason: Any = error.args[0] if error.args else "it cannot be read"
        return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    except UnicodeEncodeError:
        return "it holds half a character"
    return None


@lru_cache(maxsize=_REMEMBERED)
def _compiled(pattern: str) -> Any:
    return _re2.compile(pattern, _limits(_ONE_BYTES_MAX))


def _limits(bytes_max: int) -> Any:
    options = _re2.Options()
    options.max_mem = bytes_max
    options.log_errors = False
    return options


def _encoded(text: str) -> bytes | None:
    """None for a text with half a character in it, which nothing fits."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None
