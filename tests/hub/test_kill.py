"""Killed with SIGKILL in the middle, again and again, a pull goes on where it stopped."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

SIZE = 200_000_000 if os.environ.get("PADDOCK_SOAK") else 80_000_000
KILLS = 10
FETCHED_TWICE_MAX = 8_000_000


@pytest.fixture
def hub_address() -> Generator[str]:
    """The fake hub in a process of its own, as a real one is."""
    hub = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.huggingface", "--port", "0", "--big", str(SIZE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert hub.stdin is not None
    assert hub.stdout is not None
    try:
        yield hub.stdout.readline().strip()
    finally:
        hub.stdin.close()
        hub.wait(10)
        hub.stdout.close()


def start_pull(address: str, cache: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "tests.hub.pull_once", address, str(cache)])


def partial_size(cache: Path) -> int:
    return max((path.stat().st_size for path in cache.glob("models--*/blobs/*.paddock-*")), default=0)


def weight_requests(address: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{address}/_log") as answer:
        log: list[dict[str, Any]] = json.load(answer)
    return [entry for entry in log if entry["at"] == "storage"]


def first_byte(entry: dict[str, Any]) -> int:
    return int(entry["range"].removeprefix("bytes=").removesuffix("-")) if entry["range"] else 0


@pytest.mark.xdist_group("kill")
def test_killed_ten_times_a_pull_completes_and_fetches_at_most_8_mb_twice(hub_address: str, tmp_path: Path) -> None:
    """The promise of DESIGN 6b. Bytes are counted at the server, so what lay in sockets counts as fetched, too."""
    chance = random.Random(20261121)
    for offset in sorted(chance.randrange(SIZE * 19 // 20) for _ in range(KILLS)):
        process = start_pull(hub_address, tmp_path)
        deadline = time.monotonic() + 120
        while partial_size(tmp_path) <= offset:
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline, "it hangs"
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    last = start_pull(hub_address, tmp_path)
    assert last.wait(300) == 0

    requests = weight_requests(hub_address)
    starts = [first_byte(entry) for entry in requests]
    reached = [start + int(entry["bytes_sent"]) for start, entry in zip(starts, requests, strict=True)]
    fetched_twice = [end - start for end, start in zip(reached, starts[1:], strict=False)]
    assert starts[0] == 0
    assert reached[-1] == SIZE
    assert max(fetched_twice) <= FETCHED_TWICE_MAX, f"fetched twice: {fetched_twice}"
    assert len(requests) >= KILLS // 2, "most kills hit a transfer that was under way"

    (snapshot,) = tmp_path.glob("models--bench--big/snapshots/*")
    weights = (snapshot / "model.safetensors").resolve()
    with weights.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == weights.name
    assert [path for path in tmp_path.rglob("*paddock*") if ".locks" not in path.parts] == []
