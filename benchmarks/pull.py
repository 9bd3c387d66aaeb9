"""Pulls one large file over loopback, with Paddock and with `hf download`, turn by turn, each a process of its own.

    python -m benchmarks.pull [--size 1GB] [--rounds 5]

`hf download` goes over plain HTTP (HF_HUB_DISABLE_XET=1), as against any hub without Xet. It checks no hash and syncs
nothing to the disk; Paddock does both, and is timed with both.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Result

ROOT = Path(__file__).parents[1]


@contextmanager
def hub(size: str) -> Generator[str]:
    """The fake hub in its own process; gives its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.huggingface", "--port", "0", "--big", size],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def seconds(command: Sequence[str], address: str, cache: Path) -> float:
    """How long the whole process takes, into an empty cache, with nothing left to be written from before."""
    shutil.rmtree(cache, ignore_errors=True)
    os.sync()
    environment = {
        **os.environ,
        "HF_ENDPOINT": address,
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


def main(size: str = "1GB", rounds: int = 5) -> Iterator[Result]:
    """Prints each round and both medians; yields the ratio, of which at least 1 is promised."""
    theirs: list[float] = []
    ours: list[float] = []
    program = Path(sys.executable).with_name("hf")
    with hub(size) as address, tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "hub"
        for turn in range(rounds):
            theirs.append(seconds([str(program), "download", "bench/big"], address, cache))
            ours.append(seconds([sys.executable, "-m", "tests.hub.pull_once", address, str(cache)], address, cache))
            print(f"round {turn + 1}: hf download {theirs[-1]:.2f} s, paddock {ours[-1]:.2f} s", flush=True)
    before, after = statistics.median(theirs), statistics.median(ours)
    print(f"medians of {rounds}: hf download {before:.2f} s, paddock {after:.2f} s", flush=True)
    yield Result(f"pull of {size} over loopback against `hf download`", before / after, "×", 1.0, at_least=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Paddock's pull against `hf download` over loopback.")
    parser.add_argument("--size", default="1GB")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for result in main(arguments.size, arguments.rounds):
        print(result)
