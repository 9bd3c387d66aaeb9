"""The real program in its own process: fetch, be killed, go on, check, remove. What a newcomer does, and what goes wrong."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.faults import Slow
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models

PROGRAM = Path(sys.executable).with_name("paddock")
NAME = "org/large"
SIZE_KIB = 24 * 1024
FETCHED_BYTES = 12_000_000  # before something happens to a pull: more than may ever be fetched twice
WAIT_S = 30.0


@dataclass(frozen=True)
class Place:
    """A machine, as the environment of its processes."""

    folder: Path
    hub: HuggingFaceHub

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "home"),
            "PADDOCK_HOME": str(self.folder / "paddock"),
            "HF_HOME": str(self.folder / "huggingface"),
            "HF_ENDPOINT": self.hub.url,
            "COLUMNS": "100",
            "TERM": "xterm-256color",
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [PROGRAM, *words],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=WAIT_S)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def fetched_bytes(self) -> int:
        return self.hub.bytes_sent(f"{NAME}/model.safetensors")

    def parts(self) -> list[Path]:
        """What an unfinished pull left."""
        roots = (self.folder / "huggingface", self.folder / "paddock" / "data")
        found = (path for root in roots for path in root.rglob("*") if path.is_file())
        return [path for path in found if path.name.endswith(".partial") or ".paddock-" in path.name]


@pytest.fixture
def place(tmp_path: Path) -> Generator[Place]:
    with HuggingFaceHub() as hub:
        hub.add_repo(NAME, models.mlx(kib=SIZE_KIB), license="apache-2.0", tags=("mlx",))
        yield Place(tmp_path, hub)


def wait_for(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.02)


def begun(place: Place, *, bytes_per_s: int = 8_000_000, fetched_bytes: int = FETCHED_BYTES) -> subprocess.Popen[str]:
    """A pull, as slow as that, that has fetched as much and has more to fetch."""
    place.hub.fail(f"{NAME}/model.safetensors", Slow(bytes_per_s), at="storage", times=None)
    process = place.start("pull", NAME)
    wait_for(lambda: place.fetched_bytes() > fetched_bytes)
    return process


def test_a_killed_pull_resumes_verifies_and_goes(place: Place) -> None:
    """The promise of the first page: killed in the middle, the same command goes on, and the hashes hold."""
    process = begun(place)
    process.kill()
    process.communicate()
    assert place.parts() != []
    listed = json.loads(place.run("pulls", "--json").stdout)["pulls"]
    assert [(one["name"], one["status"]) for one in listed] == [(NAME, "paused")]

    place.hub.heal()
    resumed = place.run("pull", NAME)
    assert resumed.returncode == 0, resumed.stderr
    again = place.fetched_bytes() - (SIZE_KIB << 10)
    assert again <= 8_000_000, f"{again} bytes were fetched twice"
    assert place.parts() == []
    assert place.run("verify", NAME).stdout == f"{NAME}: 5 files ok\n"

    removed = place.run("rm", NAME, "--yes")
    assert (removed.returncode, removed.stdout) == (0, f"{NAME}: removed, freed 25.2 MB.\n")
    assert not list(place.folder.glob("huggingface/hub/**/*.safetensors"))


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_pull_that_is_interrupted_pauses_and_says_how_to_go_on(place: Place, stop: signal.Signals) -> None:
    """Ctrl-C, and what a service manager sends, must not lose what was fetched."""
    process = begun(place)
    process.send_signal(stop)
    out, err = process.communicate(timeout=WAIT_S)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == f"Paused. Resume with: paddock pull {NAME}"
    listed = json.loads(place.run("pulls", "--json").stdout)["pulls"]
    assert [(one["status"], one["downloaded_bytes"] > 0) for one in listed] == [("paused", True)]


def test_a_pull_is_paused_and_cancelled_from_another_terminal(place: Place) -> None:
    process = begun(place, bytes_per_s=1_000_000, fetched_bytes=500_000)  # slow enough for all that follows
    refused = place.run("rm", NAME, "--yes")
    assert refused.returncode in (4, 6), "what is on its way cannot be removed"
    assert place.run("pull", NAME).returncode == 6
    assert place.run("pulls", "pause", NAME).returncode == 0
    _, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 6
    assert "was paused by another process" in err
    assert place.parts() != []
    assert place.run("pulls", "cancel", NAME, "--yes").returncode == 0
    assert place.parts() == []


def test_what_reads_our_output_may_leave(place: Place) -> None:
    """`paddock list | head -1` is no error."""
    command = f"{PROGRAM} registry | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], env=place.environment, capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    assert done.stdout.splitlines()[0].startswith("NAME")
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""


def on_a_terminal(place: Place, words: Sequence[str], typed: bytes) -> tuple[str, int]:
    """Run on a terminal, type once something was asked, and return what was seen."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(place.folder)
        os.execve(PROGRAM, [str(PROGRAM), *words], place.environment)
    seen, ends = b"", time.monotonic() + WAIT_S
    while time.monotonic() < ends:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            chunk = os.read(terminal, 65_536)
        except OSError:  # how Linux tells that the other side is closed
            break
        if not chunk:
            break
        seen += chunk
        if typed and b"[y/N]" in seen:
            os.write(terminal, typed)
            typed = b""
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return seen.decode(), os.waitstatus_to_exitcode(status)


def test_a_question_takes_ctrl_c_no_and_yes(place: Place) -> None:
    """At a terminal somebody is there to ask; anything but a yes changes nothing."""
    place.hub.add_repo("org/tiny", models.mlx())
    assert place.run("pull", "org/tiny").returncode == 0
    for typed, code, stays in ((b"\x03", 130, True), (b"\n", 0, True), (b"y\n", 0, False)):
        seen, ended = on_a_terminal(place, ["rm", "org/tiny"], typed)
        assert "Remove `org/tiny` and free" in seen
        assert ended == code
        assert bool(list(place.folder.glob("huggingface/hub/**/model.safetensors"))) is stays
