"""A command that fails says what, and what to do; a defect of ours says where its traceback is."""

from dataclasses import replace
from pathlib import Path

from tests.cli.running import Cli


def broken_world(cli: Cli) -> None:
    """A machine on which asking for free space meets a defect."""

    def free_space(path: Path) -> int:
        raise RuntimeError("a secret in a message")

    cli.world = replace(cli.site.world, free_space=free_space)


def test_a_defect_is_one_line_and_a_file(cli: Cli) -> None:
    """A traceback on a terminal helps nobody; in a file it helps whoever mends it."""
    broken_world(cli)
    done = cli("df")
    assert done.code == 1
    assert done.out == ""
    message, hint = done.err.splitlines()
    assert message == "error: Paddock itself broke: RuntimeError."
    log = Path(hint.partition("with ")[2].partition(", which")[0])
    assert log.parent == cli.site.home / "state"
    text = log.read_text()
    assert "Traceback" in text
    assert "free_space" in text
    assert "command: df" in text


def test_a_defect_is_told_even_when_the_state_folder_cannot_be_written(cli: Cli) -> None:
    broken_world(cli)
    cli("list")  # makes the other folders
    state = cli.site.home / "state"
    state.write_text("a file where a folder should be")
    done = cli("df", "--json")
    assert done.code == 1
    log = Path(done.error["hint"].partition("with ")[2].partition(", which")[0])
    assert "Traceback" in log.read_text()
    log.unlink()


def test_colour_is_for_terminals(cli: Cli) -> None:
    """A log full of escape codes cannot be read, and who says NO_COLOR means it."""
    assert "\x1b[" not in cli("pul").err
    cli.terminal = True
    assert "\x1b[31m" in cli("pul").err
    for plain in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert cli("pul", environment=plain).err == (
            "error: There is no command `paddock pul`.\nhint: Did you mean `pull` or `pulls`?\n"
        )


def test_a_damaged_database_is_kept_aside_and_said(cli: Cli) -> None:
    """Aliases and pins were in it: somebody who is not told would miss them without knowing why."""
    database = cli.site.home / "data" / "paddock.db"
    assert cli("list").code == 0
    database.write_bytes(b"no database at all" * 1000)
    done = cli("list")
    assert done.code == 0
    assert done.err.startswith("warning: The database")
    aside = Path(done.err.partition("moved to `")[2].partition("`")[0])
    assert aside.read_bytes().startswith(b"no database")
    assert "warning" not in cli("list").err
