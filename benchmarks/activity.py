"""What looking at 100,000 rows of the audit costs: the page `Activity` in Chromium, and the answers that it is made of.

    python -m benchmarks activity

A real server, SQLite, over HTTP; medians. Rows of thirty days, five models, twenty callers. The page also stays open, to see
what watching costs while nobody asks anything.
"""

import asyncio
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil
from tests.server.running import running, served, variables

from benchmarks.audit import NOW, NoVault, example
from benchmarks.measure import Result
from paddock.audit.journal import Journal
from paddock.audit.prices import Price, Prices
from paddock.config.sources import load_config
from paddock.db.engine import Database

ROWS = 100_000
RUNS = 5
DAYS = 30
IDLE_S = 20.0
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


def _page(folder: Path) -> tuple[float, float]:
    """Seconds until the first request is seen, and the share of a core that the server takes while the page is open."""
    node, chromium = shutil.which("node"), shutil.which("chromium")
    assert node is not None, "Node is missing"
    assert chromium is not None, "Chromium is missing"
    with running(folder) as server:
        process = psutil.Process(server.process.pid)
        browser = subprocess.Popen(
            [node, Path(__file__).with_suffix(".mjs"), server.address, str(RUNS)],
            env={**os.environ, "CHROMIUM": chromium},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert browser.stdout is not None
        times: list[float] = []
        for line in browser.stdout:
            if line.strip() == "idle":
                break
            times.append(float(line))
        time.sleep(2)
        spent, began = sum(process.cpu_times()[:2]), time.monotonic()
        time.sleep(IDLE_S)
        share = (sum(process.cpu_times()[:2]) - spent) / (time.monotonic() - began)
        browser.communicate("end\n", timeout=60)
    return statistics.median(times), share


def main() -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as name:
        found = asyncio.run(_seconds(Path(name)))
        first, idle = _page(Path(name))
    yield Result(f"activity, {ROWS:,} rows: the first request is seen", first, "s", 1.0)
    yield Result("the server while somebody looks at the page and nobody asks", idle * 100, "% of a core", 0.5)
    for name, seconds in found.items():
        yield Result(f"activity, {ROWS:,} rows: {name}", seconds, "s", 1.0)
