"""How long a person waits for the command line itself: `paddock --help` as a whole process."""

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Result, median_seconds, run

PADDOCK = str(Path(sys.executable).parent / "paddock")


def main() -> Iterator[Result]:
    yield Result("paddock --help", median_seconds(lambda: run([PADDOCK, "--help"])), "s", 0.3)
    yield Result(
        "import paddock (over an empty program)",
        median_seconds(lambda: run([sys.executable, "-c", "import paddock"]))
        - median_seconds(lambda: run([sys.executable, "-c", "pass"])),
        "s",
        0.1,
    )
