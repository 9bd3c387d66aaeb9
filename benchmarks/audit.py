"""What a row a request costs: processor time beside answering, and the whole server with rows and without.

    python -m benchmarks audit

The whole server is the real application behind its edge, called in this process with `GET /v1/models`-like requests that
cost it as little as any request can, so that the share of the audit is the largest there is. Both ways are measured in turns.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.measure import Result
from paddock.app import open_server
from paddock.audit.journal import Journal
from paddock.audit.prices import Price, Prices
from paddock.audit.record import RequestRecord
from paddock.config.sources import load_config
from paddock.db.engine import Database
from paddock.server.asgi import make_app

ROWS = 20_000
REQUESTS = 1000
ROUNDS = 7
NOW = datetime.now(UTC)
RATE = 1000  # requests a second that the promise is about


async def _row_us(folder: Path) -> float:
    """Processor microseconds of one row: taken, hashed, written, of all threads."""
    async with await Database.open(folder / "rows" / "paddock.db") as database:
        journal = Journal(
            database=database,
            sealer=NoVault(),
            prices=lambda: Prices({"*": Price(prompt=1.0, completion=2.0)}),
            queue_max=ROWS,
        )
        began = time.process_time()
        for number in range(ROWS):
            journal.add(example(number))
            if number % 500 == 0:
                await journal.flush()
        await journal.flush()
        return (time.process_time() - began) / ROWS * 1e6


def example(number: int) -> RequestRecord:
    """A request like many."""
    return RequestRecord(
        at=NOW,
        method="POST",
        request_id=f"req-{number:024x}",
        caller="key:0123456789ab",
        dialect="openai",
        endpoint="/v1/chat/completions",
        asked_model="qwen3-8b",
        model="qwen3-8b",
        provider="local",
        route="exact",
        attempts=1,
        status=200,
        duration_us=123_456,
        first_token_us=23_456,
        prompt_tokens=1234,
        completion_tokens=321,
        bytes_in=4567,
        bytes_out=8901,
    )


class NoVault:
    """Nothing is sealed here."""

    async def seal_texts(self, texts: Any) -> Any:
        raise AssertionError("no prompts are kept")


async def _server_us(folder: Path) -> tuple[float, float]:
    """Processor microseconds of one request with rows and without."""
    environment = {"PADDOCK_HOME": str(folder / "home"), "HOME": str(folder), "PADDOCK_LOG__FILE": "off"}
    config = load_config(environment=environment, workspace=folder)
    async with open_server(config, token="token") as rooms:
        with_rows = make_app(rooms)
        without = make_app(replace(rooms, recorder=_Nobody()))
        times: dict[str, list[float]] = {"with": [], "without": []}
        for turn in range(ROUNDS + 1):
            for name, app in (("with", with_rows), ("without", without)):
                began = time.process_time()
                for _ in range(REQUESTS):
                    await _ask(app)
                await rooms.recorder.recorder.flush()  # type: ignore[attr-defined]
                if turn:  # the first warms everything up
                    times[name].append((time.process_time() - began) / REQUESTS * 1e6)
    return statistics.median(times["with"]), statistics.median(times["without"])


class _Nobody:
    def add(self, record: RequestRecord) -> None:
        pass


async def _ask(app: Callable[..., Awaitable[None]]) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/version",
        "raw_path": b"/api/version",
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 8484),
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"127.0.0.1:8484")],
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200, message

    await app(scope, receive, send)


def main() -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as name:
        row_us = asyncio.run(_row_us(Path(name)))
        with_us, without_us = asyncio.run(_server_us(Path(name)))
    print(
        f"        a row: {row_us:.1f} µs of all threads; the cheapest request: {without_us:.0f} µs, {with_us:.0f} with a row"
    )
    share = (with_us - without_us) * RATE / 1e4  # of the second that a core has
    yield Result(f"a row a request, {RATE} requests/s", share, "% of throughput", 3.0)
