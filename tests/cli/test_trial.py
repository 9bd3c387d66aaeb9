"""`paddock trial`: with a server and without, and by itself after a pull."""

import json
from collections.abc import Generator
from dataclasses import replace

import pytest

from paddock.app import BUILTIN_MODELS
from paddock.cli.schemas import render_schemas
from tests.cli.running import Cli
from tests.cli.schema_check import complaints
from tests.client.serving import RunningServer
from tests.library.models import coreml
from tests.library.rooms import Site


@pytest.fixture
def site(site: Site) -> Site:
    """A machine with the models that come with the package."""
    return replace(site, builtin_models=BUILTIN_MODELS)


@pytest.fixture(params=["in this process", "through a server"])
def somewhere(request: pytest.FixtureRequest, site: Site) -> Generator[None]:
    if request.param == "in this process":
        yield
        return
    with RunningServer(site):
        yield


@pytest.mark.usefixtures("somewhere")
def test_a_trial_is_shown_and_remembered(cli: Cli) -> None:
    """What came out is where people look for it: in `show`."""
    done = cli("trial", "pony", "--json")
    assert done.code == 0, done.err
    assert complaints(done.document, {"$ref": "#/$defs/TrialResult"}, json.loads(render_schemas())) == []
    assert done.document["can"] == {"tools": True, "json": True, "thinking": True}
    shown = cli("show", "pony", "--source")
    assert "showed tools, json, thinking" in shown.out
    assert "measured" in shown.out
    assert cli("show", "pony", "--json").document["trial"]["model"] == "pony"


def test_a_sheet_says_what_a_model_can_and_why_not(cli: Cli) -> None:
    done = cli("trial", "foal")  # the draft of pony: it says likely words and understands little
    assert done.code == 0, done.err
    assert "Tools" in done.out
    assert "tokens/s" in done.out


def test_a_model_that_does_not_load_ends_with_1(cli: Cli, site: Site) -> None:
    """Scripts that pull models must notice."""
    folder = site.home.parent / "broken"
    folder.mkdir()
    for file in (BUILTIN_MODELS / "pony").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 160}))
    assert cli("pull", f"file://{folder}", "--name", "broken").code == 0
    done = cli("trial", "broken")
    assert done.code == 1
    assert "It does not load" in done.out
    assert "It does not load" in cli("show", "broken").out


@pytest.mark.parametrize("words", [("run", "seg", "Hello"), ("bench", "seg"), ("trial", "seg")])
def test_a_model_of_another_program_is_kept_and_says_whose_it_is(cli: Cli, site: Site, words: tuple[str, ...]) -> None:
    """It is listed, sized and verified like any; only running it is not for here."""
    folder = site.home.parent / "seg"
    for name, content in coreml().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    assert cli("pull", f"file://{folder}", "--name", "seg").code == 0
    assert "seg" in cli("list").out
    assert cli("verify", "seg").code == 0
    done = cli(*words, "--json")
    assert done.code == 3
    assert "a model for Core ML" in done.error["message"]
    assert "program that uses Core ML" in done.error["hint"]
