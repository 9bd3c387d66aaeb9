"""One request: gathered while it runs, then a row whose hash covers all of it and the row before."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

TEXT_CHARACTERS_MAX: Final = 512
FIRST: Final = "0" * 64  # what the first row of all takes for the hash before it
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_encode: Final = msgspec.json.Encoder().encode


@dataclass(slots=True, kw_only=True)
class RequestRecord:
    """What whoever has a part in a request writes down about it. The edge begins it, and hands it in at the end."""

    at: datetime
    method: str
    request_id: str = ""
    caller: str = ""  # `key:…`, `user:…`, `admin`, `local`, `launch`, or empty
    dialect: str = ""
    endpoint: str = ""  # the route's pattern
    asked_model: str = ""  # as the caller wrote it
    model: str = ""  # that answered
    provider: str = ""
    route: str = ""  # how the asked name led there
    rule: str = ""  # the routing rule that did, by its name
    attempts: int = 0  # providers that were tried; more than one is a failover
    status: int = 0
    error_code: str = ""
    duration_us: int = 0
    first_token_us: int | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    prompt: str | None = None  # only where `audit.prompts` is on


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One request as it is kept."""

    seq: int
    at: datetime
    request_id: str
    caller: str
    dialect: str
    method: str
    endpoint: str
    asked_model: str
    model: str
    provider: str
    route: str
    rule: str
    attempts: int
    status: int
    error_code: str
    duration_us: int
    first_token_us: int | None
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost_nanos: int | None  # billionths of the price table's currency; None where it names no price
    bytes_in: int
    bytes_out: int
    prompt: str | None  # sealed
    hash: str = ""


COLUMNS: Final = tuple(field.name for field in fields(AuditRow))
HASHED: Final = tuple(name for name in COLUMNS if name != "hash")


def values_of(record: RequestRecord, *, seq: int, cost_nanos: int | None, prompt: str | None) -> list[Any]:
    """The values of HASHED, in its order. Texts are made such that every database gives them back as they are."""
    return [
        seq,
        record.at,
        _clean(record.request_id),
        record.caller,
        record.dialect,
        _clean(record.method),
        record.endpoint,
        _clean(record.asked_model),
        _clean(record.model),
        _clean(record.provider),
        _clean(record.route),
        _clean(record.rule),
        record.attempts,
        record.status,
        record.error_code,
        record.duration_us,
        record.first_token_us,
        record.prompt_tokens,
        record.cached_tokens,
        record.completion_tokens,
        cost_nanos,
        record.bytes_in,
        record.bytes_out,
        prompt,
    ]


def hash_of(values: Sequence[Any], before: str) -> str:
    """The hash of a row with these values of HASHED, after the row with the hash `before`."""
    seq, at, *rest = values
    plain = [seq, (at - _EPOCH) // _MICROSECOND, *rest]
    return hashlib.sha256(before.encode() + _encode(plain)).hexdigest()


def _clean(text: str) -> str:
    if len(text) > TEXT_CHARACTERS_MAX:
        text = text[:TEXT_CHARACTERS_MAX]
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
