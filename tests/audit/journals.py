"""Journals for tests, and requests to write down."""

from collections.abc import Sequence
from typing import Any

from paddock.audit.journal import Journal
from paddock.audit.prices import Price, Prices
from paddock.audit.record import RequestRecord
from paddock.db.engine import Database
from paddock.errors import VaultLocked
from tests.library.rooms import Clock

PRICES = Prices(
    {"*": Price(prompt=1.0, completion=2.0), "pony*": Price(), "gpt-*": Price(prompt=10.0, cached=1.0, completion=30.0)}
)


class NoVault:
    """A vault that does not open."""

    async def seal_texts(self, texts: Sequence[tuple[str, str]]) -> Sequence[str]:
        raise VaultLocked("It does not open.", hint="Open it.")


def journal_on(database: Database, *, sealer: Any = None, queue_max: int = 10_000) -> Journal:
    return Journal(database=database, sealer=sealer or NoVault(), prices=lambda: PRICES, queue_max=queue_max)


def request(clock: Clock, number: int = 1, **more: Any) -> RequestRecord:
    """A request that went well."""
    clock.advance(0.001)
    values: dict[str, Any] = {
        "at": clock.now(),
        "method": "POST",
        "request_id": f"req-{number}",
        "caller": "key:0123",
        "dialect": "openai",
        "endpoint": "/v1/chat/completions",
        "asked_model": "pony",
        "model": "pony",
        "provider": "local",
        "route": "exact",
        "attempts": 1,
        "status": 200,
        "duration_us": 1234,
        "first_token_us": 567,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "bytes_in": 100,
        "bytes_out": 200,
        **more,
    }
    return RequestRecord(**values)


async def written(database: Database, clock: Clock, count: int, **more: Any) -> None:
    journal = journal_on(database)
    for number in range(1, count + 1):
        journal.add(request(clock, number, **more))
    await journal.flush()
