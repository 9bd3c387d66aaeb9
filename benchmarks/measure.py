"""How we time things, and how a result is written down."""

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Result:
    """One promise and what was measured. `value` must not exceed `limit`, or must reach it when `at_least`."""

    what: str
    value: float
    unit: str
    limit: float
    at_least: bool = False

    @property
    def kept(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        word = "kept  " if self.kept else "MISSED"
        sign = "≥" if self.at_least else "≤"
        return f"{word}  {self.what}: {self.value:.3g} {self.unit} (promised {sign} {self.limit:g})"


def machine() -> str:
    """What it was measured on, in one line."""
    memory_gb = psutil.virtual_memory().total / 1e9
    return (
        f"{processor()}, {psutil.cpu_count()} cores, {memory_gb:.0f} GB, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def processor() -> str:
    """The model's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def median_seconds(call: Callable[[], object], *, runs: int = 7, warmups: int = 1) -> float:
    """The median wall time of one call."""
    for _ in range(warmups):
        call()
    times: list[float] = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Run a whole process and wait for it; its output is thrown away, a failure is raised."""
    subprocess.run(
        command,
        check=True,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
