"""Documents that are made from the program stay true to it, and what `--json` writes is what its schema says."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from paddock.cli.reference import render_reference
from paddock.cli.schemas import SCHEMA_FILE, document_types, render_schemas
from tests.cli.running import Cli, Done
from tests.cli.schema_check import complaints
from tests.fakes.clouds import OpenAICloud, in_thread
from tests.library import models

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
ACCESS = {"vault", "key", "user", "audit"}  # test_vault.py, test_accounts.py and test_audit.py look at these
STALE = f"out of date: run `{Path(sys.executable).name} -m paddock.cli.reference`"


def test_the_page_says_what_the_help_says() -> None:
    assert (FOLDER / "cli.md").read_text(encoding="utf-8") == render_reference(), STALE


def test_the_schemas_are_those_of_the_types() -> None:
    assert (FOLDER / SCHEMA_FILE).read_text(encoding="utf-8") == render_schemas(), STALE


@pytest.mark.parametrize("name", ["ModelInfo", "ProgressEvent", "ErrorDocument"])
def test_the_words_of_the_api_are_published(name: str) -> None:
    """A model, a progress event and an error look the same in every surface; programs find them by these names."""
    assert name in json.loads(render_schemas())["$defs"]


def routing(cli: Cli) -> Iterator[tuple[str, Done]]:
    """The commands about who answers."""
    with in_thread(OpenAICloud()) as cloud:
        yield "provider add", cli("provider", "add", "far", "--url", cloud.url, "--option", "seed=1", "--json")
        yield "provider edit", cli("provider", "edit", "far", "--timeout", "2m", "--json")
        yield "provider key", cli("provider", "key", "far", "--json", stdin="secret-key\n")
        yield "provider test", cli("provider", "test", "far", "--json")
    yield "provider", cli("provider", "--json")
    yield "route add", cli("route", "add", "gpt", "--prefix", "gpt-", "--to", "far=", "--test", "gpt-5", "--json")
    yield "route edit", cli("route", "edit", "gpt", "--priority", "3", "--json")
    yield "route", cli("route", "--json")
    yield "route test", cli("route", "test", "gpt", "gpt-5", "--json")
    yield "route explain", cli("route", "explain", "gpt-5", "--json")
    exported = cli("route", "export", "--json")
    yield "route export", exported
    yield "route replay", cli("route", "replay", "--rules", "-", "--json", stdin=exported.out)
    yield "route rm", cli("route", "rm", "gpt", "--json")
    yield "route import", cli("route", "import", "-", "--json", stdin=exported.out)
    yield "provider rm", cli("provider", "rm", "far", "--json")
    yield "profile", cli("profile", "--json")
    yield "profile add", cli("profile", "add", "mine", "--families", "qwen,llama", "--json")
    yield "profile edit", cli("profile", "edit", "mine", "--context", "4096", "--json")
    yield "profile show", cli("profile", "show", "mine", "--json")
    yield "profile rm", cli("profile", "rm", "mine", "--json")


def everything(cli: Cli, folder: Path) -> Iterator[tuple[str, Done]]:
    """Each command that writes a document, in an order in which each has something to say."""
    prompt = folder / "prompt.txt"
    prompt.write_text("Summarise {{ text }} in {{ words | default(50) }} words.")
    model = folder / "model"
    model.mkdir()
    for path, content in models.mlx().items():
        (model / path).write_bytes(content)
    yield "version", cli("version", "--json")
    yield "completion", cli("completion", "bash", "--json")
    yield "search", cli("search", "tiny", "--json")
    yield "plan", cli("plan", "org/tiny", "--json")
    yield "pull --dry-run", cli("pull", "org/tiny", "--dry-run", "--json")
    yield "pull", cli("pull", "org/tiny", "--json")
    yield "pulls", cli("pulls", "--all", "--json")
    cli.break_off("org/slow")
    yield "pulls pause", cli("pulls", "pause", "org/slow", "--json")
    yield "pulls resume", cli("pulls", "resume", "org/slow", "--json")
    cli.break_off("org/slower")
    yield "pulls cancel", cli("pulls", "cancel", "org/slower", "--yes", "--json")
    yield "list", cli("list", "--json")
    yield "show", cli("show", "tiny", "--json")
    yield "cp", cli("cp", "tiny", "mine", "--json")
    yield "keep", cli("keep", "tiny", "--pin", "--alive", "30m", "--json")
    yield "compare", cli("compare", "tiny", "org/slow", "--json")
    yield "verify", cli("verify", "--json")
    yield "df", cli("df", "--json")
    yield "prune", cli("prune", "--older-than", "30d", "--dry-run", "--json")
    yield "lock", cli("lock", "--json")
    yield "sync", cli("sync", "--dry-run", "--json")
    yield "export", cli("export", "carried", "--json")
    yield "import", cli("import", "carried", "--json")
    yield "registry", cli("registry", "--json")
    yield "registry add", cli("registry", "add", "short", "org/tiny", "--description", "Short", "--json")
    yield "registry rm", cli("registry", "rm", "short", "--json")
    yield from routing(cli)
    yield "bundle", cli("bundle", "--json")
    yield "bundle make", cli("bundle", "make", "made", "model", "--json")
    yield "template save --dry-run", cli("template", "save", "t", "prompt.txt", "--dry-run", "--json")
    yield "template save", cli("template", "save", "t", "prompt.txt", "words=10", "--json")
    yield "template", cli("template", "--json")
    yield "template show", cli("template", "show", "t", "--json")
    yield "template render", cli("template", "render", "t", "text=this", "--json")
    yield "template rm", cli("template", "rm", "t", "--yes", "--json")
    yield "config show", cli("config", "show", "--json")
    yield "config get", cli("config", "get", "disk.factor", "--json")
    yield "config set", cli("config", "set", "disk.factor", "3", "--json")
    yield "config unset", cli("config", "unset", "disk.factor", "--json")
    yield "config path", cli("config", "path", "--json")
    yield "config init", cli("config", "init", "--workspace", "--json")
    yield "chat --list", cli("chat", "--list", "--json")
    yield "chat --delete", cli("chat", "--delete", "--all", "--yes", "--json")
    yield "airgap", cli("airgap", "--json")
    yield "service", cli("service", "--json")
    yield "service install", cli("service", "install", "--dry-run", "--json")
    yield "doctor", cli("doctor", "--json")
    yield "rm", cli("rm", "tiny", "--yes", "--json")


def test_every_document_is_what_its_schema_says(cli: Cli) -> None:
    """Programs are written against the schemas; a field that is missing or misnamed breaks them in silence."""
    schema = json.loads(render_schemas())
    seen: set[str] = set()
    for command, done in everything(cli, cli.site.folder):
        assert done.code == 0, f"{command}: {done.err}"
        reference = {"$ref": schema["x-commands"][command]}
        assert complaints(done.document, reference, schema) == [], command
        for line in done.reports:
            if "progress" in line:
                assert complaints(line["progress"], {"$ref": "#/$defs/ProgressEvent"}, schema) == []
        seen.add(command)
    # These want a model that runs, a process or a server: their own tests look at them.
    seen |= {
        "embed",
        "bench",
        "serve",
        "serve --stop",
        "ps",
        "load",
        "unload",
        "warm",
        "launch",
        "trial",
        "service remove",
    }
    seen |= {"chat", "chat --show", "chat --rename", *(each for each in document_types() if each.split()[0] in ACCESS)}
    assert seen == set(document_types()), "a command whose document nobody looks at"


def test_an_error_is_what_its_schema_says(cli: Cli) -> None:
    schema = json.loads(render_schemas())
    done = cli("show", "nothing", "--json")
    assert (done.code, done.out) == (4, "")
    assert complaints(done.reports[-1], {"$ref": "#/$defs/ErrorDocument"}, schema) == []
