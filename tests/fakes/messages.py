"""What goes in and out of a fake, and the line that the log keeps of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.fakes.content import Content, Stored


@dataclass(frozen=True, slots=True)
class Request:
    """What came in. `path` is decoded once; `headers` have lower-case names; `at` names the listener it came to."""

    method: str
    path: str
    raw_path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    at: str

    def one(self, name: str) -> str | None:
        return self.query.get(name, [None])[0]  # type: ignore[list-item]

    @property
    def bearer(self) -> str | None:
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token if kind == "Bearer" else None


@dataclass(slots=True)
class Answer:
    """What goes out. By its `label` (`org/name/file`) faults and the log name a file, whatever its URL looks like."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    content: Content | None = None
    ranges: bool = False
    label: str = ""
    length_known: bool = True

    @staticmethod
    def json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> "Answer":
        return Answer(
            status,
            {"Content-Type": "application/json; charset=utf-8", **(headers or {})},
            Stored(json.dumps(value).encode()),
        )

    @staticmethod
    def redirect(url: str, status: int = 302, headers: Mapping[str, str] | None = None, label: str = "") -> "Answer":
        return Answer(status, {"Location": url, **(headers or {})}, Stored(b""), label=label)


@dataclass(slots=True)
class LogEntry:
    """One request and what it got."""

    method: str
    path: str
    at: str
    label: str
    range: str | None
    if_range: str | None
    authorized: bool  # an Authorization header, or a cookie, was there
    status: int = 0
    bytes_sent: int = 0  # of the body, handed to the kernel


def log_entry(request: Request, label: str) -> LogEntry:
    return LogEntry(
        request.method,
        request.path,
        request.at,
        label,
        request.headers.get("range"),
        request.headers.get("if-range"),
        "authorization" in request.headers or "cookie" in request.headers,
    )
