"""Commands while the server of their home runs: the same words, the same answers, the server's work."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from dataclasses import replace

import pytest

from paddock.app import BUILTIN_MODELS
from paddock.errors import Interrupted, ModelNotFound, NotEnoughDisk
from tests.cli.running import Cli
from tests.client.serving import RunningServer
from tests.fakes.faults import Slow
from tests.library import models
from tests.library.rooms import Site


@pytest.fixture
def site(site: Site) -> Site:
    """A machine with the models that come with the package."""
    return replace(site, builtin_models=BUILTIN_MODELS)


@pytest.fixture
def server(site: Site) -> Generator[RunningServer]:
    with RunningServer(site) as server:
        yield server


READING = [
    ("list", "--json"),
    ("show", "pony", "--json"),
    ("show", "org/tiny", "--json"),
    ("compare", "pony", "org/tiny", "--json"),
    ("plan", "org/tiny", "--json"),
    ("search", "tiny", "--json"),
    ("df", "--json"),
    ("prune", "--dry-run", "--json"),
    ("pulls", "list", "--json"),
    ("verify", "pony", "--json"),
    ("keep", "pony", "--json"),
    ("registry", "list", "--json"),
]


def test_every_reading_command_answers_the_same_with_and_without_a_server(site: Site, cli: Cli) -> None:
    """A script must not notice whether somebody started a server."""
    alone = [cli(*words) for words in READING]
    with RunningServer(site):
        served = [cli(*words) for words in READING]
    for words, before, after in zip(READING, alone, served, strict=True):
        assert after.code == before.code, (words, after.err)
        assert _timeless(after.document) == _timeless(before.document), words


def test_a_pull_is_the_servers_job_and_its_progress_is_shown(cli: Cli, server: RunningServer) -> None:
    """First 0 %, last 100 %, and the model is in the server's list at once."""
    done = cli("pull", "org/tiny", "--json")
    assert done.code == 0, done.err
    shares = [report["progress"]["percentage"] for report in done.reports if "progress" in report]
    assert (shares[0], shares[-1]) == (0, 100)
    assert "org/tiny" in [model["name"] for model in cli("list", "--json").document["models"]]
    assert cli("pulls", "list", "--all", "--json").document["pulls"][0]["status"] == "complete"
    assert cli("rm", "org/tiny", "--yes").code == 0
    assert cli("show", "org/tiny", "--json").document["model"]["status"] == "not_found"


def test_a_tight_disk_is_asked_about_and_a_full_one_refused(cli: Cli, site: Site, server: RunningServer) -> None:
    """The question is put to the person at the command line, not to the server."""
    size = cli("plan", "org/tiny", "--json").document["fetch_bytes"]
    site.free_bytes = size + size // 5
    assert cli("pull", "org/tiny").code != 0
    site.free_bytes = size // 2
    done = cli("pull", "org/tiny", "--yes", "--json")
    assert done.code == NotEnoughDisk.exit_code
    site.free_bytes = size + size // 5
    assert cli("pull", "org/tiny", "--yes").code == 0


def test_changes_through_the_callers_own_process_are_seen_by_the_server(cli: Cli, server: RunningServer) -> None:
    """A short name that was registered works at once, in every command."""
    assert cli("registry", "add", "mini", "org/tiny").code == 0
    assert cli("plan", "mini", "--json").document["name"] == "org/tiny"
    assert cli("cp", "pony", "horse").code == 0
    assert cli("show", "horse", "--json").document["model"]["name"] == "pony"
    done = cli("cp", "pany", "other", "--json")
    assert done.code == ModelNotFound.exit_code


def test_run_answers_with_the_servers_copy_of_the_model(cli: Cli, server: RunningServer) -> None:
    """A second copy of the weights would halve what the machine can do."""
    words = ("run", "pony", "What is 3 plus 4?", "--temperature", "0", "--max-tokens", "12")
    done = cli(*words)
    assert done.code == 0, done.err
    assert "7" in done.out
    assert list(cli("ps", "--json").document["loaded_models"]) == ["pony"]
    document = cli(*words, "--json").document
    assert document["text"].strip() == done.out.strip()
    assert document["usage"]["prompt_tokens"] > 0


def test_chat_converses_through_the_server(cli: Cli, server: RunningServer) -> None:
    """Each line is answered in the light of those before."""
    done = cli("chat", "pony", "--temperature", "0", "--max-tokens", "8", "--json", stdin="Hello\nAnd now?\n")
    assert done.code == 0, done.err
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert len(answers) == 2
    assert answers[1]["usage"]["prompt_tokens"] > answers[0]["usage"]["prompt_tokens"]


def test_ctrl_c_pauses_a_pull_at_the_server_and_the_same_command_goes_on(
    cli: Cli, site: Site, server: RunningServer
) -> None:
    """What Ctrl-C means must not depend on who moves the bytes."""
    site.hub.add_repo("org/slow", models.mlx(kib=4096, seed=9))
    site.hub.fail("org/slow/model.safetensors", Slow(bytes_per_s=200_000), at="storage", times=None)
    program = "from paddock.cli.main import main; main()"
    with subprocess.Popen(
        [sys.executable, "-P", "-c", program, "pull", "org/slow", "--json"],
        env={**os.environ, **site.variables}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        moving = (json.loads(line) for line in process.stderr)
        assert any(line.get("progress", {}).get("downloaded_bytes", 0) > 0 for line in moving)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(60) == Interrupted.exit_code
    assert "Paused" in rest
    assert cli("pulls", "list", "--json").document["pulls"][0]["status"] == "paused"
    site.hub.heal()
    assert cli("pull", "org/slow", "--json").document["name"] == "org/slow"


def test_a_changed_setting_is_taken_up_by_the_server(cli: Cli, server: RunningServer) -> None:
    """Or it says that it holds from the next start on; nobody has to guess."""
    done = cli("config", "set", "pool.max_models", "2")
    assert "Holds now." in done.out
    assert cli("ps", "--json").document["max_models"] == 2
    assert "from the next start" in cli("config", "set", "server.port", "1234").out
    assert "Holds now." in cli("config", "unset", "pool.max_models").out
    assert cli("ps", "--json").document["max_models"] == 4


def _timeless(document: object) -> object:
    """Without what changes from one look to the next."""
    if isinstance(document, dict):
        moving = {"free_bytes", "told_at", "added_at", "verified_at", "modified_at", "stale"}
        return {key: _timeless(value) for key, value in document.items() if key not in moving}
    if isinstance(document, list):
        return [_timeless(item) for item in document]
    return document
