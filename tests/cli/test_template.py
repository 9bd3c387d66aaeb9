"""Prompt templates: kept when they are valid, filled in with plain data."""

from pathlib import Path

import pytest

from tests.cli.running import Cli

TEXT = "Summarise {{ text }} in {{ words | default(50) }} words."


@pytest.fixture
def file(cli: Cli) -> str:
    path = cli.site.folder / "prompt.txt"
    path.write_text(TEXT)
    return path.name


def test_a_template_is_kept_shown_and_filled_in(cli: Cli, file: str) -> None:
    assert cli("template").out.startswith("No templates yet.")
    assert cli("template", "save", "short", file, "words=20", "--description", "Sums up").out == (
        "short is kept: text, words.\n"
    )
    assert cli("template", "show", "short").out == f"{TEXT}\n"
    assert cli("template", "render", "short", "text=this").out == "Summarise this in 20 words.\n"
    assert cli("template", "render", "short", "text=this", "words=5").out == "Summarise this in 5 words.\n"
    assert "text, words" in cli("template", "list").out
    assert cli("template", "rm", "short").code == 2
    assert cli("template", "rm", "short", "--yes").out == "short is deleted.\n"
    assert cli("template", "show", "short").code == 4


def test_a_template_comes_from_stdin(cli: Cli) -> None:
    assert cli("template", "save", "t", "-", stdin="Hello {{ name }}").code == 0
    assert cli("template", "render", "t", "name=you").out == "Hello you\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["render", "t"], "`text` must be given"),
        (["render", "t", "text=a", "txt=b"], "no variable `txt`"),
        (["render", "t", "text"], "Write it like `words=50`."),
    ],
)
def test_values_that_do_not_fit_are_usage_errors(cli: Cli, file: str, words: list[str], says: str) -> None:
    cli("template", "save", "t", file)
    done = cli("template", *words)
    assert done.code == 2
    assert says in done.err


def test_what_is_no_template_is_refused_before_it_is_kept(cli: Cli, tmp_path: Path) -> None:
    bad = cli.site.folder / "bad.txt"
    bad.write_text("line one\n{{ open")
    for dry_run in ([], ["--dry-run"]):
        done = cli("template", "save", "bad", "bad.txt", *dry_run)
        assert done.code == 2
        assert "line 2" in done.err
    bad.write_bytes(b"\xff\xfe\x00")
    assert "is no text" in cli("template", "save", "bad", "bad.txt").err
    assert cli("template", "save", "bad", "none.txt").code == 1
    assert cli("template").out.startswith("No templates yet.")
