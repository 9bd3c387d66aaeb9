"""A pull that is killed with SIGKILL, as the program is used: plan knows what is here, pull goes on, list shows the model."""

import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

SOAK = bool(os.environ.get("PADDOCK_SOAK"))
SIZE = 200_000_000 if SOAK else 60_000_000
KILLS = 3 if SOAK else 2  # the transfer's own test (tests/hub/test_kill.py) kills ten times
FETCHED_TWICE_MAX = 8_000_000
PADDOCK = Path(sys.executable).with_name("paddock")


@dataclass
class Machine:
    """One user's machine, and the hub that it pulls from."""

    folder: Path
    hub: str

    @property
    def cache(self) -> Path:
        return self.folder / "huggingface" / "hub"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PADDOCK_HOME": str(self.folder / "paddock"),
            "HF_HOME": str(self.folder / "huggingface"),
            "HF_ENDPOINT": self.hub,
        }

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [PADDOCK, *arguments],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, *arguments: str) -> Any:
        """What a command with `--json` prints, whatever its exit code."""
        command = [PADDOCK, *arguments, "--json"]
        done = subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, timeout=120, check=False
        )
        return json.loads(done.stdout)

    def models(self) -> list[dict[str, Any]]:
        """What `list` shows beside the built-in models."""
        return [model for model in self.ask("list")["models"] if model["source"] != "builtin"]

    def arrived(self) -> int:
        """Bytes of the weights on the disk. A small file may get its final name while we look."""
        sizes = [0]
        for path in self.cache.glob("models--*/blobs/*.paddock-*"):
            with contextlib.suppress(FileNotFoundError):
                sizes.append(path.stat().st_size)
        return max(sizes)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """The hub runs in a process of its own, as a real one does."""
    hub = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.huggingface", "--port", "0", "--big", str(SIZE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert hub.stdin is not None
    assert hub.stdout is not None
    try:
        yield Machine(tmp_path, hub.stdout.readline().strip())
    finally:
        hub.stdin.close()
        hub.wait(10)
        hub.stdout.close()


def transfers(machine: Machine) -> list[tuple[int, int]]:
    """Every request for the weights to their end, as (first byte, end of what was sent). Header reads name their end."""
    with urllib.request.urlopen(f"{machine.hub}/_log") as answer:
        log: list[dict[str, Any]] = json.load(answer)
    found: list[tuple[int, int]] = []
    for entry in log:
        asked = entry["range"] or "bytes=0-"
        if entry["at"] == "storage" and asked.endswith("-"):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            found.append((start, start + int(entry["bytes_sent"])))
    return found


@pytest.mark.xdist_group("kill")
def test_a_killed_pull_goes_on_where_it_stopped(machine: Machine) -> None:
    pull = ("pull", "bench/big", "--skip-check", "--yes")
    chance = random.Random(20261121)
    for offset in sorted(chance.randrange(SIZE // 20, SIZE * 9 // 10) for _ in range(KILLS)):
        process = machine.start(*pull)
        deadline = time.monotonic() + 120
        try:
            while machine.arrived() <= offset:
                assert process.poll() is None, "it ended before it could be killed"
                assert time.monotonic() < deadline, "it hangs"
                time.sleep(0.0005)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()

        here = machine.arrived()
        plan = machine.ask("plan", "bench/big")
        assert here <= plan["here_bytes"] <= here + 1000  # the configuration may have arrived, too
        assert plan["fetch_bytes"] == plan["total_bytes"] - plan["here_bytes"]
        assert machine.models() == []

    assert machine.start(*pull).wait(300) == 0

    requests = transfers(machine)
    assert requests[0][0] == 0
    assert requests[-1][1] == SIZE
    fetched_twice = [end - start for (_, end), (start, _) in pairwise(requests)]
    assert max(fetched_twice) <= FETCHED_TWICE_MAX, f"fetched twice: {fetched_twice}"
    assert len(requests) == KILLS + 1

    (model,) = machine.models()
    assert (model["name"], model["status"]) == ("bench/big", "available")
    assert model["size"] == machine.ask("plan", "bench/big")["here_bytes"]
    weights = (Path(model["path"]) / "model.safetensors").resolve()
    with weights.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == weights.name
    folders = (machine.cache, machine.folder / "paddock" / "data" / "store")
    left = [path for folder in folders for path in folder.rglob("*") if ".locks" not in path.parts]
    assert [path for path in left if path.suffix == ".partial" or ".paddock-" in path.name] == []
