"""JSON of our own values: bytes as integers, times in UTC, paths as text, names as in the vocabulary. Written and read back.

`--json`, the admin API and clients of it share this one form.
"""

from collections.abc import Mapping, Set
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def encode(value: object) -> bytes:
    """`value` on one line."""
    return msgspec.json.encode(_utc(msgspec.to_builtins(value, builtin_types=(datetime,), enc_hook=_plain)))


def decode(body: bytes, kind: type[T]) -> T:
    """What `encode` wrote of a `kind`. Raises ValueError for anything else; names that are not known are passed over."""
    return msgspec.json.decode(body, type=kind, dec_hook=_made)


def _plain(value: object) -> Any:
    match value:
        case PurePath():
            return str(value)
        case Mapping():
            return dict(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] (encoded next)
        case Set():
            return sorted(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        case _:
            raise NotImplementedError(f"{type(value).__name__} has no JSON form")


def _made(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(f"{kind.__name__} has no JSON form")


def _utc(value: Any) -> Any:
    """Times without a zone come from our own database, which keeps UTC."""
    match value:
        case datetime():
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        case dict():
            return {key: _utc(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case list() | tuple():
            return [_utc(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value
