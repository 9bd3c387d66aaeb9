"""How every header parser says no, and the JSON reader that they share."""

import json
from collections.abc import Callable
from typing import Any, NoReturn

from paddock.errors import InvalidHeader

_HINT = "The file is damaged, cut short or hostile. Run `paddock verify`, or pull the model again."


def offence(name: str, what: str) -> InvalidHeader:
    """The error for a header that lies. `what` completes "the header of `name`"."""
    return InvalidHeader(f"The header of `{name}` {what}.", hint=_HINT)


def shown(text: object) -> str:
    """`text` short enough for a message, with nothing in it that a terminal would obey."""
    safe = repr(text)[1:-1] if isinstance(text, str) else repr(text)
    return safe if len(safe) <= 60 else f"{safe[:57]}…"


def strict_json(data: bytes, refuse: Callable[[str], InvalidHeader]) -> Any:
    """Parse JSON that a stranger wrote: no duplicate keys, no NaN, no bottomless nesting, no lone surrogates.

    `data` must already be of bounded length. Raises what `refuse` makes of the offence.
    """

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    raise refuse(f"has the key `{shown(key)}` twice")
                seen.add(key)
        return found

    def constant(word: str) -> NoReturn:
        raise refuse(f"holds `{word}`, which is not JSON")

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=members, parse_constant=constant)
    except UnicodeDecodeError as error:
        raise refuse("is not UTF-8 text") from error
    except RecursionError as error:
        raise refuse("nests deeper than any header does") from error
    except ValueError as error:  # malformed, or a number of thousands of digits
        raise refuse("is not JSON") from error
    return value


def is_clean_name(name: str) -> bool:
    """True for a name that is text: not empty, no control characters, no half of a surrogate pair."""
    return bool(name) and len(name) <= 1024 and all(" " <= letter != "\x7f" for letter in name) and _encodes(name)


def _encodes(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
