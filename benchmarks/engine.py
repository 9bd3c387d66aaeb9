"""Whole servers over HTTP, side by side: same weights, same machine, turn by turn.

    python -m benchmarks engine [--rows 16,1,…] [--rounds 5] [--quick]

Prints every turn, a Markdown table of medians, and leaves that table and a picture of it under `.cache/benchmarks/`.
"""

import asyncio
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.measure import Result, machine
from benchmarks.models import CACHE
from benchmarks.report import markdown, svg
from benchmarks.rows.listing import all_rows
from benchmarks.rows.row import Finding, Options, Row
from benchmarks.serving.arena import Arena


def main(names: Sequence[str] = (), options: Options | None = None) -> Iterator[Result]:
    """Measures the rows of these names, or all, one after the other. Raises ValueError for a name that there is not."""
    options = options or Options()
    known = {row.name: row for row in all_rows()}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"there is no row {', '.join(unknown)}; there are {', '.join(known)}")
    rows = [row for row in known.values() if not names or row.name in names]
    began = time.monotonic()
    findings = asyncio.run(measure(rows, options))
    print(f"measured in {time.monotonic() - began:.0f} s")
    leave(findings, options.cache or CACHE)
    for finding in findings:
        if finding.failure:
            print(f"no figure  {finding.what}: {finding.failure}")
        if (result := finding.result) is not None:
            yield result


async def measure(rows: Sequence[Row], options: Options) -> list[Finding]:
    """One row after the other. Whoever was started is ended, also when this process is told to end."""
    task = asyncio.current_task()
    assert task is not None, "a coroutine runs in a task"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    findings: list[Finding] = []
    arena = Arena()
    try:
        for row in rows:
            print(f"{row.name}: {row.title}", flush=True)
            await arena.clear(keep=row.model(options))
            findings += await row.measure(arena, options)
    finally:
        await arena.clear()
    return findings


def leave(findings: Sequence[Finding], folder: Path) -> None:
    """Print the table, and write it and the picture."""
    table = markdown(findings)
    print(table, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "engine.md").write_text(f"{machine()}\n\n{table}\n")
    (folder / "engine.svg").write_text(svg(findings, machine()))
    print(f"{folder / 'engine.md'}, {folder / 'engine.svg'}", flush=True)
