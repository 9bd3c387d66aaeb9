"""Which request meets which fault: patterns, counts, and the answers that faults put in place of the right one."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.fakes.content import Content, Stored
from tests.fakes.faults import (
    AnswerFault,
    BodyFault,
    Do,
    EndlessJson,
    Expired,
    Fault,
    IgnoreRange,
    LoginPage,
    RangeFault,
    RedirectTo,
    Status,
    WrongContentRange,
)
from tests.fakes.messages import Answer, Request

LOGIN_PAGE = (
    b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please log in to the network.</body></html>"
)
EXPIRED_XML = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>'


@dataclass(slots=True)
class Scripted:
    pattern: str
    fault: Fault
    method: str
    at: str | None
    skip: int
    times: int | None

    def fits(self, request: Request, answer: Answer) -> bool:
        if self.at not in (None, request.at) or self.method not in ("*", request.method):
            return False
        if not any(names(self.pattern, name) for name in (request.path, answer.label)):
            return False
        match self.fault:
            case Expired():
                return request.at == "storage"
            case IgnoreRange() | WrongContentRange():
                return answer.ranges and "range" in request.headers
            case Status() | LoginPage() | RedirectTo() | EndlessJson() | Do():
                return True
            case _:
                return request.method != "HEAD" and answer.status < 300


def names(pattern: str, name: str) -> bool:
    return bool(name) and (fnmatchcase(name, pattern) or name.endswith(f"/{pattern.lstrip('/')}"))


def kind_of(fault: Fault) -> str:
    for name, kind in (("answer", AnswerFault), ("range", RangeFault), ("body", BodyFault)):
        if isinstance(fault, kind):
            return name
    return "do"


def replaced(fault: AnswerFault, answer: Answer) -> Answer:
    match fault:
        case Status(code, headers, body):
            return Answer(code, {"Content-Type": "text/plain", **headers}, Stored(body), label=answer.label)
        case Expired():
            return Answer(403, {"Content-Type": "application/xml"}, Stored(EXPIRED_XML), label=answer.label)
        case LoginPage():
            return Answer(200, {"Content-Type": "text/html; charset=utf-8"}, Stored(LOGIN_PAGE), label=answer.label)
        case RedirectTo(url, code):
            return Answer.redirect(url, code, label=answer.label)
        case EndlessJson(size):
            headers = {"Content-Type": "application/json; charset=utf-8"}
            return Answer(200, headers, _EndlessJsonContent(size), label=answer.label, length_known=False)


class _EndlessJsonContent(Content):
    def __init__(self, size: int) -> None:
        self.size = size

    def chunks(self, start: int, stop: int) -> Iterator[memoryview]:
        yield memoryview(b'[{"type":"file","path":"a","size":1,"oid":"')
        filling = memoryview(b"0" * (1 << 20))
        for _ in range(self.size >> 20):
            yield filling
