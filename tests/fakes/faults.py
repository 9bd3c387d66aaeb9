"""What can go wrong on the way, one small value each. Scripted with `FakeServer.fail`; all of them deterministic.

    replaced answer   Status, RateLimited, Unavailable, Expired, LoginPage, RedirectTo, EndlessJson
    changed range     IgnoreRange, WrongContentRange
    changed body      Drop, Reset, Short, Long, Corrupt, Stall, Slow, Compressed
    something else    Do (call a function, then answer as usual)

Faults of ranges wait for a request with a range, faults of bodies for an answer with a body: a redirect or a HEAD does
not use them up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Status:
    """Answer with this status instead."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


def Unavailable(retry_after: int | None = None) -> Status:  # noqa: N802 - reads like the other faults
    """503, as a hub under load answers."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Status(503, headers, b"Service Unavailable")


def RateLimited(retry_after: int) -> Status:  # noqa: N802 - reads like the other faults
    """429 with Retry-After."""
    return Status(429, {"Retry-After": str(retry_after)}, b'{"error":"We had to rate limit you."}')


@dataclass(frozen=True, slots=True)
class Expired:
    """The signature of the storage URL is too old: 403 from the storage host, whatever the clock says."""


@dataclass(frozen=True, slots=True)
class LoginPage:
    """200 and HTML where a file should be, as hotel networks and proxies do."""


@dataclass(frozen=True, slots=True)
class RedirectTo:
    url: str
    code: int = 302


@dataclass(frozen=True, slots=True)
class EndlessJson:
    """A well-formed start of a JSON document that goes on for `size` bytes, without Content-Length."""

    size: int = 5 << 30


@dataclass(frozen=True, slots=True)
class IgnoreRange:
    """200 and the whole file, although a part was asked for."""


@dataclass(frozen=True, slots=True)
class WrongContentRange:
    """206 whose Content-Range, and bytes, begin `shift` bytes away from what was asked."""

    shift: int = 1


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the connection after this many bytes of the body."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Reset:
    """The same with a TCP reset."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Short:
    """A well-formed answer that lacks its last `by` bytes: Content-Length agrees with what is sent."""

    by: int = 1


@dataclass(frozen=True, slots=True)
class Long:
    """A well-formed answer with `by` bytes too many."""

    by: int = 1


@dataclass(frozen=True, slots=True)
class Corrupt:
    """The right size, one byte wrong: byte `at` of the file is inverted if it is in the part that is sent."""

    at: int = 0


@dataclass(frozen=True, slots=True)
class Stall:
    """Fall silent after this many bytes, for `seconds` or until the server stops; then close."""

    after: int = 0
    seconds: float = 60


@dataclass(frozen=True, slots=True)
class Slow:
    bytes_per_s: int


@dataclass(frozen=True, slots=True)
class Compressed:
    """The body in gzip without Content-Length, if the client accepts gzip; as CDNs do with text."""


@dataclass(frozen=True, slots=True)
class Do:
    """Call `action`, then answer as usual; for what happens between two requests, like a branch that moves."""

    action: Callable[[], object]


AnswerFault = Status | Expired | LoginPage | RedirectTo | EndlessJson
RangeFault = IgnoreRange | WrongContentRange
BodyFault = Drop | Reset | Short | Long | Corrupt | Stall | Slow | Compressed
Fault = AnswerFault | RangeFault | BodyFault | Do
