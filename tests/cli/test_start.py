"""The program starts fast, because it loads what a command needs and nothing else."""

import subprocess
import sys

import pytest

from paddock.cli.application import COMMANDS, build_application, load
from paddock.cli.help import words_of
from tests.cli.running import Cli

HEAVY = ("sqlalchemy", "alembic", "pydantic", "huggingface_hub", "httpx2", "jinja2", "ruamel", "rapidfuzz")
NAMES = [command.names[0] for commands in COMMANDS.values() for command in commands]


@pytest.mark.parametrize("words", [["--help"], [], ["--version"], ["version"], ["pulll"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    """Asking for help must cost less than a third of a second, and a misspelled command no more than that."""
    program = (
        "import sys\n"
        "from paddock.cli.main import main\n"
        "sys.argv = ['paddock', *sys.argv[1:]]\n"
        "try:\n    main()\nfinally:\n    print('LOADED', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    loaded = done.stdout.rpartition("LOADED ")[2].split()
    assert "cyclopts" in loaded
    assert [name for name in HEAVY if name in loaded] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_command_says_first_what_the_list_of_commands_says(name: str) -> None:
    """The list is written apart from the commands, so that it shows without loading them; the two must not part."""
    from cyclopts.help import format_doc

    summary = next(c.summary for commands in COMMANDS.values() for c in commands if c.names[0] == name)
    command = load(build_application(), name)
    assert words_of(format_doc(command, "plaintext")).splitlines()[0] == summary


@pytest.mark.parametrize("name", NAMES)
def test_each_command_has_help(cli: Cli, name: str) -> None:
    done = cli(name, "--help")
    assert done.code == 0
    assert done.out.startswith(f"Usage: paddock {name}")
    assert done.err == ""


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_help_keeps_within_the_terminal(cli: Cli, columns: int) -> None:
    """Help that wraps by accident cannot be read."""
    cli.columns = columns
    for words in (["--help"], ["pull", "--help"], ["config", "set", "--help"]):
        lines = cli(*words).out.splitlines()
        assert max(len(line) for line in lines) <= columns
        assert [line for line in lines if line != line.rstrip()] == []


def test_summaries_fit_an_ordinary_terminal() -> None:
    for commands in COMMANDS.values():
        assert [c.summary for c in commands if len(c.summary) > 55] == []


def test_no_words_are_a_question_for_help(cli: Cli) -> None:
    assert cli().out == cli("--help").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command(cli: Cli, shell: str) -> None:
    script = cli("completion", shell).out
    assert [name for name in NAMES if name not in script] == []
    if shell == "bash":
        assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=True).stderr == ""
