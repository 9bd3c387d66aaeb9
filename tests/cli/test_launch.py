"""`paddock launch`: a tool gets the address, the key and the model, and everything else stays as it is."""

import itertools
import json
import os
import shlex
import subprocess
from collections.abc import Generator
from pathlib import Path

import httpx2
import pytest

from paddock.cli.schemas import render_schemas
from paddock.cli.tools import TOOLS
from paddock.errors import NotFound, UsageError
from tests.cli.running import Cli
from tests.cli.schema_check import complaints
from tests.server.running import Process, finished, running

# Writes down how it was started, as its real counterpart would read it.
SCRIPT = """\
#!/usr/bin/env python3
import json, os, pathlib, sys
told = {"words": sys.argv[1:], "variables": dict(os.environ)}
pathlib.Path(os.environ["TOLD"]).write_text(json.dumps(told))
sys.exit(7)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Process]:
    """The program itself; it wants a key, so that the one that tools are given is put to the test."""
    with running(tmp_path_factory.mktemp("launch"), PADDOCK_ADMIN_KEY="the key of its owner") as server:
        yield server


def launched(server: Process, *words: str, path: str | None = None) -> tuple[int, str, dict[str, str], list[str]]:
    """Run `paddock launch WORDS` to its end: exit code, stderr, and the variables and words that the tool got."""
    programs, told = server.folder / "programs", server.folder / "told.json"
    programs.mkdir(exist_ok=True)
    told.unlink(missing_ok=True)
    for tool in TOOLS.values():
        script = programs / tool.command
        script.write_text(SCRIPT)
        script.chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}" if path is None else path
    environment = {**server.environment, "PATH": path, "TOLD": str(told), "MINE": "stays"}
    environment.pop("PADDOCK_ADMIN_KEY")  # what the person at the terminal need not know
    code, _, err = finished(server.folder, environment, "launch", *words)
    if not told.exists():
        return code, err, {}, []
    record = json.loads(told.read_text())
    return code, err, record["variables"], record["words"]


def test_claude_gets_the_address_the_key_and_one_model_for_all_its_own(server: Process) -> None:
    """Without `/v1`: its client adds that itself. A key of Anthropic's in the environment would win, so it goes."""
    code, _, variables, words = launched(server, "claude", "--model", "pony")
    assert code == 7, "the tool's own exit code comes back"
    assert variables["ANTHROPIC_BASE_URL"] == server.address
    assert variables["ANTHROPIC_API_KEY"] == ""
    models = [value for name, value in variables.items() if name.startswith("ANTHROPIC_") and name.endswith("MODEL")]
    assert len(models) >= 4
    assert set(models) == {"pony"}
    assert variables["MINE"] == "stays"
    assert words == []


def test_the_key_opens_the_server(server: Process) -> None:
    """The server wants one, and nobody typed it."""
    _, _, variables, _ = launched(server, "aider")
    address = f"{variables['OPENAI_API_BASE']}/models"
    assert httpx2.get(address).status_code == 401
    key = {"authorization": f"Bearer {variables['OPENAI_API_KEY']}"}
    assert httpx2.get(address, headers=key).status_code == 200


def test_words_behind_the_dashes_are_the_tools_own(server: Process) -> None:
    """`-p` and `--model` mean something to the tool, not to us."""
    _, _, variables, words = launched(
        server, "claude", "--model", "foal", "--", "-p", "--model", "x", "two words", "--json"
    )
    assert words == ["-p", "--model", "x", "two words", "--json"]
    assert variables["ANTHROPIC_MODEL"] == "foal"


def test_codex_gets_a_provider_by_its_words(server: Process) -> None:
    """It reads no address from the environment. Each `-c` is a path and a value that TOML and JSON share."""
    _, _, variables, words = launched(server, "codex", "--model", "pony", "fix it")
    given = dict(word.split("=", 1) for flag, word in itertools.pairwise(words) if flag == "-c")
    assert json.loads(given["model_provider"]) == "paddock"
    assert json.loads(given["model_providers.paddock.base_url"]) == f"{server.address}/v1"
    assert json.loads(given["model_providers.paddock.wire_api"]) == "responses"
    assert variables[json.loads(given["model_providers.paddock.env_key"])]
    assert words[-3:] == ["-m", "pony", "fix it"]


def test_opencode_gets_settings_that_name_the_server(server: Process) -> None:
    """In its environment, so that the person's own file is left alone."""
    _, _, variables, _ = launched(server, "opencode", "--model", "pony")
    settings = json.loads(variables["OPENCODE_CONFIG_CONTENT"])
    provider = settings["provider"]["paddock"]
    assert settings["model"] == "paddock/pony"
    assert provider["options"]["baseURL"] == f"{server.address}/v1"
    assert "pony" in provider["models"]
    assert variables["PADDOCK_API_KEY"] not in variables["OPENCODE_CONFIG_CONTENT"]


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_every_tool_is_told_where_the_server_is_and_what_opens_it(server: Process, tool: str) -> None:
    """Otherwise it would go to the address that is built into it, with the person's own key and code."""
    code, err, variables, _ = launched(server, tool)
    assert code == 7, err
    told = {name for name, value in variables.items() if server.address in value}
    assert told, "no variable names the server"
    assert any(name.endswith(("KEY", "TOKEN")) and variables[name] for name in variables)


def test_a_tool_that_is_missing_says_how_people_install_it(server: Process) -> None:
    code, err, _, _ = launched(server, "claude", path="/nowhere")
    assert code == NotFound.exit_code
    assert TOOLS["claude"].install in err


def test_a_printed_start_works_in_a_shell(server: Process) -> None:
    """People put these lines into a file of theirs."""
    code, out, _ = finished(server.folder, server.environment, "launch", "opencode", "--print", "--", "it's me")
    assert code == 0
    *exports, command = out.splitlines()
    assert all(line.startswith("export ") for line in exports)
    assert shlex.split(command) == ["opencode", "it's me"]
    shown = subprocess.run(
        ["sh", "-c", "\n".join([*exports, 'printf %s "$OPENCODE_CONFIG_CONTENT"'])], capture_output=True, check=True
    )
    assert json.loads(shown.stdout)["model"] == "paddock/pony"


def test_the_document_is_what_its_schema_says(server: Process) -> None:
    code, out, _ = finished(server.folder, server.environment, "launch", "claude", "--json")
    assert code == 0
    document = json.loads(out)
    assert document["environment"]["ANTHROPIC_BASE_URL"] == server.address
    schema = json.loads(render_schemas())
    assert complaints(document, {"$ref": schema["x-commands"]["launch"]}, schema) == []


def test_an_unknown_tool_is_told_its_near_names(cli: Cli) -> None:
    """Before anything else is asked: a typing error has nothing to do with a server."""
    done = cli("launch", "cluade", "--json")
    assert done.code == UsageError.exit_code
    assert "`claude`" in done.error["hint"]
    assert "`codex`" in cli("launch", "xyzzy", "--json").error["hint"]


def test_without_a_server_it_says_how_to_start_one(cli: Cli, tmp_path: Path) -> None:
    done = cli("launch", "claude", "--json")
    assert done.code == NotFound.exit_code
    assert "paddock serve" in done.error["hint"]
