"""Takes values out of JSON that strangers wrote: the right type or None, never an exception."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

INTEGER_MAX = 1 << 62  # beyond it no size, count or length means anything, and sums would leave 64 bits


def as_mapping(value: object) -> Mapping[str, Any]:
    """The object's members with text keys; empty for anything that is not an object."""
    if not isinstance(value, Mapping):
        return {}
    members = cast("Mapping[object, Any]", value)
    return {key: item for key, item in members.items() if isinstance(key, str)}


def as_list(value: object) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if isinstance(value, (list, tuple)) else ()


def as_text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def as_positive(value: object) -> int | None:
    """A whole number from 1 up. Floats that are whole count, since some configs write `4.0`."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and 0 < value < INTEGER_MAX else None


def as_number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < INTEGER_MAX:
        return None
    return float(value)


def first_positive(source: Mapping[str, Any], *keys: str) -> int | None:
    """The first of `keys` that holds a usable number."""
    for key in keys:
        number = as_positive(source.get(key))
        if number is not None:
            return number
    return None


def first_text(source: Mapping[str, Any], *keys: str) -> str | None:
    for key in keys:
        text = as_text(source.get(key))
        if text is not None:
            return text
    return None
