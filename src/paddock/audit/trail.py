"""What rooms behind the edge write into the record of the request that they work for, without being handed it.

A request crosses providers, retries and tasks on its way; what it learns there belongs into its row also when nobody
answers in the end. Outside of a server no record is open, and nothing is written.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from paddock.audit.record import RequestRecord

_open: Final[ContextVar[RequestRecord | None]] = ContextVar("paddock.audit.record", default=None)


@contextmanager
def writing_to(record: RequestRecord) -> Generator[None]:
    """What is noted within the block, and in tasks that begin in it, goes into `record`."""
    token = _open.set(record)
    try:
        yield
    finally:
        _open.reset(token)


def note_route(*, route: str, rule: str | None) -> None:
    """How the asked name leads on, whether or not somebody answers there."""
    record = _open.get()
    if record is not None:
        record.route, record.rule = route, rule or ""


def note_attempt(*, provider: str, model: str, route: str, attempts: int) -> None:
    """Who is asked now, as the so-many-th. Of several prompts in one request the one with most attempts counts."""
    record = _open.get()
    if record is not None:
        record.provider, record.model, record.route = provider, model, route
        record.attempts = max(record.attempts, attempts)
