"""What is looked up all the time: a name among the known models, and the configuration."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Result, median_seconds
from paddock.catalog.known import built_in_models, known_models
from paddock.config.sources import load_config

NAMES = 1000


def main() -> Iterator[Result]:
    names = [f"org-{number % 37}/Llama-3.{number % 4}-{number}B-Instruct-4bit" for number in range(NAMES)]
    times: list[float] = []
    known = known_models()  # a fresh one: nothing is cached
    built_in_models()
    for name in names:
        start = time.perf_counter()
        known.match(name)
        times.append(time.perf_counter() - start)
    total = median_seconds(lambda: [known.match(name) for name in names])
    yield Result(f"{NAMES} first lookups, 99 % of them", statistics.quantiles(times, n=100)[98] * 1000, "ms", 1.0)
    yield Result("a repeated lookup", total / NAMES * 1000, "ms", 1.0)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        (workspace / ".paddock").mkdir()
        (workspace / ".paddock" / "config.yaml").write_text("options: {temperature: 0.2}\npool: {memory: 50%}\n")
        environment = {"PADDOCK_HOME": folder, "PADDOCK_TEMPERATURE": "0.3", "HOME": folder}
        merged = median_seconds(
            lambda: load_config(environment=environment, workspace=workspace, flags={"options.max_tokens": 100}),
            runs=21,
        )
    yield Result("merge flags, environment and files", merged * 1000, "ms", 10.0)
