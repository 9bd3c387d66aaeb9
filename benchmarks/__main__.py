"""Runs the benchmarks named on the command line, or all of them, and exits 1 when a promise is missed."""

import importlib
import platform
import sys
from collections.abc import Iterator
from typing import cast

import psutil

from benchmarks.measure import Result

ALL = ("startup", "listing", "lookups", "pull", "engine", "speculation")


def main(names: list[str]) -> None:
    memory_gb = psutil.virtual_memory().total / 1e9
    print(f"{platform.machine()}, {psutil.cpu_count()} cores, {memory_gb:.0f} GB, Python {platform.python_version()}")
    missed = 0
    for name in names or ALL:
        module = importlib.import_module(f"benchmarks.{name}")
        for result in cast("Iterator[Result]", module.main()):
            print(result, flush=True)
            missed += not result.kept
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
