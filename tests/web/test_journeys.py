"""What people do with the dashboard, in Chromium, against `paddock serve` with the models that come with it.

Each journey is a program in journeys/, which fails, too, when a page complains on its console or asks another origin.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.fakes.clouds import Act, AnthropicCloud, OpenAICloud, in_thread
from tests.fakes.faults import Slow
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models
from tests.server.running import Process, running

JOURNEYS = Path(__file__).parent / "journeys"
KEY = "the-key-of-this-test"

pytestmark = pytest.mark.xdist_group("web")  # one server for all of them


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Process]:
    with running(tmp_path_factory.mktemp("web")) as server:
        yield server


def walk(server: Process, name: str, *words: str) -> str:
    """Run one journey to its end; what it prints, last `done` when every expectation held. Chromium's folders go with it."""
    node, chromium = shutil.which("node"), shutil.which("chromium")
    assert node is not None, "Node is missing: apt-get install nodejs npm"
    assert chromium is not None, "Chromium is missing: apt-get install chromium"
    # Not below pytest's own folder: Chromium has a socket in there, whose path must be short.
    with tempfile.TemporaryDirectory(prefix="web", ignore_cleanup_errors=True) as folder:
        finished = subprocess.run(
            [node, JOURNEYS / f"{name}.mjs", server.address, *words],
            env={"PATH": os.environ["PATH"], "HOME": folder, "TMPDIR": folder, "CHROMIUM": chromium},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.rstrip().endswith("done")
    return finished.stdout


# The first visit comes first: it wants a history that is empty.
@pytest.mark.parametrize(
    "name",
    [
        "first_visit",
        "chat",
        "branches",
        "pictures",
        "disk",
        "memory",
        "settings",
        "hostile",
        "foreign",
        "activity",
        "routing",
        "everybody",
    ],
)
def test_people_get_along_with_the_dashboard(server: Process, name: str) -> None:
    """A page that looks right and does not work is worth nothing."""
    walk(server, name)


def test_one_provider_stands_in_for_another(server: Process) -> None:
    """From the address and the key to the answer that comes from elsewhere, nothing has to be done at a command line."""
    with in_thread(OpenAICloud()) as failing, in_thread(AnthropicCloud()) as standing:
        failing.models = ("far-model", "<img src=x onerror=\"globalThis.caught='img'\">")
        failing.always = Act(status=503)
        walk(server, "providers", failing.url, standing.url)


def test_a_key_is_asked_for_and_kept_in_the_tab(tmp_path: Path) -> None:
    """It opens the whole server, so it must not outlive the visit."""
    with running(tmp_path, PADDOCK_ADMIN_KEY=KEY) as server:
        walk(server, "key", KEY)


def test_somebody_signs_in_makes_a_key_and_sees_what_is_done_with_it(tmp_path: Path) -> None:
    """From the page that was asked for to signing out; what was written outlives a session that ends."""
    with running(tmp_path, PADDOCK_ADMIN_KEY=KEY) as server:
        walk(server, "sign_in", KEY)


def test_a_model_is_found_planned_fetched_with_a_pause_and_removed(tmp_path: Path) -> None:
    """The whole way of a model without a command line, from a hub that takes its time."""
    with HuggingFaceHub() as hub:
        hub.add_repo("org/big", models.mlx(kib=4096))
        hub.fail("model.safetensors", Slow(1 << 20), times=None, at="storage", skip=2)  # plans read the header before
        with running(tmp_path, HF_ENDPOINT=hub.url) as server:
            walk(server, "pull")
