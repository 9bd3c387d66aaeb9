"""`paddock ps`, `load`, `unload`, `stop` and `warm`: the models in the memory of this home's server."""

import json
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from paddock.app import BUILTIN_MODELS
from paddock.cli.schemas import render_schemas
from paddock.errors import InUse, ModelNotFound, NotFound, UsageError
from tests.cli.running import Cli
from tests.cli.schema_check import complaints
from tests.client.serving import RunningServer
from tests.library.rooms import Site


@pytest.fixture
def site(site: Site) -> Site:
    """A machine with the models that come with the package."""
    return replace(site, builtin_models=BUILTIN_MODELS)


@pytest.fixture
def server(site: Site) -> Generator[RunningServer]:
    with RunningServer(site) as server:
        yield server


@pytest.mark.parametrize("words", [("ps",), ("load", "pony"), ("unload", "pony"), ("stop", "pony"), ("warm", "pony")])
def test_without_a_server_each_says_what_to_do(cli: Cli, words: tuple[str, ...]) -> None:
    """Who has not started a server yet learns how, and that `run` needs none."""
    done = cli(*words, "--json")
    assert done.code == NotFound.exit_code
    assert "paddock serve" in done.error["hint"]


def test_a_model_is_loaded_shown_and_unloaded(cli: Cli, server: RunningServer) -> None:
    """The life of a model in memory, in the words that people type."""
    assert "No model is in memory." in cli("ps").out
    loaded = cli("load", "pony", "--pin")
    assert loaded.code == 0, loaded.err
    assert "pony is in memory" in loaded.out
    assert "already" in cli("load", "pony", "--no-warm").out
    shown = cli("ps")
    assert "pony" in shown.out
    assert "ready" in shown.out
    assert "pinned" in shown.out
    document = cli("ps", "--json").document
    model = document["loaded_models"]["pony"]
    assert model["predicted_bytes"] > 0
    assert model["measured_bytes"] > 0
    assert datetime.fromisoformat(model["last_used"]) <= datetime.now(UTC)
    assert cli("stop", "pony").out.startswith("pony has left memory")
    assert "was not in memory" in cli("unload", "pony").out


def test_every_document_is_what_its_schema_says(cli: Cli, server: RunningServer) -> None:
    """Programs are written against the schemas."""
    schema = json.loads(render_schemas())
    for command in ("warm", "load", "ps", "unload"):
        done = cli(command, *([] if command == "ps" else ["pony"]), "--json")
        assert done.code == 0, done.err
        assert complaints(done.document, {"$ref": schema["x-commands"][command]}, schema) == [], command


def test_warming_up_loads_and_keeps(cli: Cli, server: RunningServer) -> None:
    """`--keep-loaded` is for a model that shall be quick all day."""
    done = cli("warm", "pony", "--prefill-tokens", "16", "--tokens", "2", "--keep-loaded", "--json")
    assert done.document == {"status": "warm", "model_id": "pony"}
    assert cli("ps", "--json").document["loaded_models"]["pony"]["expires_at"] is None


def test_what_is_wrong_is_told_as_without_a_server(cli: Cli, server: RunningServer) -> None:
    """Exit codes and hints do not depend on where the work is done."""
    done = cli("load", "pany", "--json")
    assert done.code == ModelNotFound.exit_code
    assert "pony" in done.error["hint"]
    done = cli("warm", "pony", "--tokens", "0", "--json")
    assert done.code == UsageError.exit_code
    assert "tokens" in done.error["message"]


def test_a_model_in_memory_is_not_removed(cli: Cli, server: RunningServer) -> None:
    """The command line respects what the server uses, whoever asked for it."""
    assert cli("cp", "pony", "horse").code == 0
    assert cli("load", "pony").code == 0
    done = cli("rm", "pony", "--yes", "--json")
    assert done.code == InUse.exit_code
    assert "paddock unload" in done.error["hint"]
    assert cli("rm", "horse", "--yes").code == 0
