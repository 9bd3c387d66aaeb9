"""JSON for programs: bytes as integers, times in UTC, paths as text, names as in the vocabulary."""

from collections.abc import Mapping, Set
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

import msgspec


def json_document(value: object) -> str:
    """One document, indented for the eye."""
    return msgspec.json.format(_encode(value), indent=2).decode() + "\n"


def json_line(value: object) -> str:
    """The same on one line."""
    return _encode(value).decode() + "\n"


def _encode(value: object) -> bytes:
    return msgspec.json.encode(_utc(msgspec.to_builtins(value, builtin_types=(datetime,), enc_hook=_plain)))


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
