"""What looking at 100,000 rows of the audit costs: answers of the server that the page `Activity` is made of.

    python -m benchmarks activity

A real server in this process, SQLite, over HTTP; medians. Rows of thirty days, five models, twenty callers.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests.server.running import served, variables

from benchmarks.audit import NOW, NoVault, example
from benchmarks.measure import Result
from paddock.audit.journal import Journal
from paddock.audit.prices import Price, Prices
from paddock.config.sources import load_config
from paddock.db.engine import Database

ROWS = 100_000
RUNS = 5
DAYS = 30
MODELS = ("qwen3-8b", "gemma3", "pony", "claude", "gpt")
ASKED = {
    "the latest 50": "/admin/audit",
    "the oldest of all, a page by its number": "/admin/audit?before=51",
    "a model that never answered": "/admin/audit?model=nobody",
    "who failed": "/admin/audit?failed=true",
    "sums of thirty days by model": "/admin/audit/summary",
    "sums of one day by provider": "/admin/audit/summary?by=provider&since={day}",
    "names to filter by": "/admin/audit/names",
    "what runs now": "/admin/audit/live",
}


async def fill(place: Path, rows: int = ROWS) -> None:
    """So many rows, as the journal writes them."""
    chance = random.Random(7)
    async with await Database.open(place) as database:
        prices = Prices({"*": Price(prompt=1.0, completion=2.0)})
        journal = Journal(database=database, sealer=NoVault(), prices=lambda: prices, queue_max=rows)
        for number in range(rows):
            model = chance.choice(MODELS)
            failed = chance.random() < 0.03
            journal.add(
                replace(
                    example(number),
                    at=NOW - timedelta(days=DAYS) * (1 - number / rows),
                    caller=f"key:{chance.randrange(20):012x}",
                    model="" if failed else model,
                    asked_model=model,
                    provider="" if failed else {"claude": "anthropic", "gpt": "openai"}.get(model, "local"),
                    status=503 if failed else 200,
                    error_code="overloaded" if failed else "",
                    first_token_us=None if failed else round(chance.lognormvariate(11, 1)),
                    completion_tokens=0 if failed else chance.randrange(10, 900),
                )
            )
            if number % 5000 == 0:
                await journal.flush()
        await journal.flush()


async def _seconds(folder: Path) -> dict[str, float]:
    config = load_config(environment=variables(folder), workspace=folder)
    await fill(config.paths.database_file)
    day = (NOW - timedelta(days=1)).isoformat().replace("+", "%2B")
    found: dict[str, float] = {}
    async with served(folder) as server:
        for name, path in ASKED.items():
            times: list[float] = []
            for _ in range(RUNS):
                began = time.perf_counter()
                answer = await server.client.get(path.format(day=day))
                times.append(time.perf_counter() - began)
                assert answer.status_code == 200, answer.text
            found[name] = statistics.median(times)
    return found


def main() -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as name:
        found = asyncio.run(_seconds(Path(name)))
    for name, seconds in found.items():
        yield Result(f"activity, {ROWS:,} rows: {name}", seconds, "s", 1.0)
