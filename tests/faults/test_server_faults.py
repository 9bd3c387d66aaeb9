"""A server that is killed, and disks that do not take what it writes: the next start goes on as if nothing had been."""

import resource
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.fakes.faults import Slow
from tests.fakes.huggingface import HuggingFaceHub
from tests.faults.harness import SOAK, Ordeal
from tests.library import models
from tests.server.running import eventually, finished, running, variables

KILLS = 25 if SOAK else 2
NAME = "org/slow"


@pytest.fixture
def hub() -> Generator[HuggingFaceHub]:
    with HuggingFaceHub() as hub:
        hub.add_repo(NAME, models.mlx(kib=4096), tags=("mlx",), pipeline_tag="text-generation")
        hub.fail(f"{NAME}/model.safetensors", Slow(bytes_per_s=400_000), at="storage", times=None)
        yield hub


def pull_is(ordeal: Ordeal, status: str) -> bool:
    listed = ordeal.server.get("/admin/pulls", params={"all": "true"}).json()["pulls"]
    return [pull["status"] for pull in listed if pull["name"] == NAME] == [status]


def test_a_server_killed_anywhere_comes_back(tmp_path: Path, hub: HuggingFaceHub) -> None:
    """Streams, a pull and a load under way; the power goes. Nobody has to tidy up, and the pull goes on by itself."""
    with Ordeal(tmp_path, hub, seed=4) as ordeal:
        ordeal.start()
        began = ordeal.server.post("/admin/pulls", json={"reference": NAME})
        assert began.status_code == 202
        for _ in range(KILLS):
            with ordeal.clients(4):
                ordeal.kill_after(ordeal.random.uniform(0.0, 3.0))
            assert ordeal.runners_ended()
            ordeal.start()
        hub.heal()
        assert eventually(lambda: pull_is(ordeal, "complete"))
        assert ordeal.answers()
        assert ordeal.server.get("/readyz").status_code == 200
        ordeal.server.process.send_signal(signal.SIGTERM)
        assert ordeal.server.ends() == 0
        assert ordeal.database_is_sound()
        code, out, err = finished(tmp_path, ordeal.server.environment, "verify", NAME)
        assert code == 0, out + err


def test_a_pull_that_the_end_paused_goes_on_with_the_next_start(tmp_path: Path, hub: HuggingFaceHub) -> None:
    """An upgrade of the server in the middle of a night's pull must not be where it ends."""
    with Ordeal(tmp_path, hub) as ordeal:
        ordeal.start()
        assert ordeal.server.post("/admin/pulls", json={"reference": NAME}).status_code == 202
        assert eventually(lambda: pull_is(ordeal, "downloading"))
        ordeal.server.process.send_signal(signal.SIGTERM)
        assert ordeal.server.ends() == 0
        hub.heal()
        ordeal.start()
        assert eventually(lambda: pull_is(ordeal, "complete"))


def test_a_state_file_that_cannot_be_written_keeps_nobody_from_being_served(tmp_path: Path) -> None:
    """Only `paddock` in another terminal does not find the server; the log says so."""
    state = tmp_path / "paddock" / "state"
    (state / "server.json" / "in the way").mkdir(parents=True)
    (state / "logs").write_text("a file where the folder should be")
    with running(tmp_path) as server:
        assert server.get("/readyz").status_code == 200
        assert "server.not_published" in server.log
        server.process.send_signal(signal.SIGTERM)
        assert server.ends() == 0


def test_on_a_disk_that_takes_nothing_the_start_says_so(tmp_path: Path) -> None:
    """One sentence and a remedy, whatever write it is that fails first; never a traceback, never a server that half works."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", "from paddock.cli.main import main; main()", "serve"],
        env=variables(tmp_path),
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "error: " in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "Paddock itself broke" not in done.stderr
