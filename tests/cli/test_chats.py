"""`paddock chat` keeps what is said: the real program, a real runner, the built-in model."""

import json
import logging
import os
import signal
import sqlite3
import stat
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from paddock.app import BUILTIN_MODELS
from paddock.cli.schemas import render_schemas
from paddock.errors import NotFound, UsageError
from tests.cli.running import Cli, Done
from tests.cli.schema_check import complaints
from tests.cli.test_speaking import GREEDY, LONG, Terminal, paddock
from tests.client.serving import RunningServer
from tests.library.rooms import Site

TALK = ("chat", "pony", *GREEDY, "--max-tokens", "12", "--json")


@pytest.fixture
def site(site: Site) -> Site:
    """A machine with the models that come with the package."""
    return replace(site, builtin_models=BUILTIN_MODELS)


@pytest.fixture(params=["in this process", "through the server"])
def cli(request: pytest.FixtureRequest, site: Site) -> Generator[Cli]:
    """The program on that machine, alone and with a server beside it."""
    if request.param == "in this process":
        yield Cli(site)
        return
    with RunningServer(site):
        yield Cli(site)


def kept_as(done: Done) -> str:
    """The id that was reported."""
    assert done.code == 0, done.err
    (chat_id,) = [report["chat"] for report in done.reports if "chat" in report]
    return chat_id


def check(document: object, command: str) -> None:
    schema = json.loads(render_schemas())
    assert complaints(document, {"$ref": schema["x-commands"][command]}, schema) == []


def test_a_conversation_is_kept_listed_shown_renamed_and_deleted(cli: Cli) -> None:
    """The whole life of it, as documents that programs read."""
    done = cli(*TALK, "--system", "You are brief.", stdin="My name is Ada.\nWhat is my name?\n")
    chat = kept_as(done)
    answers = [json.loads(line) for line in done.out.splitlines()]
    for answer in answers:
        check(answer, "chat")
    page = cli("chat", "--list", "--json").document
    check(page, "chat --list")
    assert [(one["id"], one["title"], one["model"]) for one in page["chats"]] == [(chat, "My name is Ada.", "pony")]
    shown = cli("chat", "--show", chat, "--json").document
    check(shown, "chat --show")
    assert [message["role"] for message in shown["messages"]] == ["system", *["user", "assistant"] * 2]
    for message, answer in zip(shown["messages"][2::2], answers, strict=True):
        assert message["parts"][0]["text"] == answer["text"]
        assert (message["model"], message["finish_reason"]) == ("pony", answer["finish_reason"])
        assert message["usage"] == answer["usage"]
        assert message["timing"]["seconds"] >= message["timing"]["first_token_seconds"] > 0
    assert ">>> What is my name?" in cli("chat", "--show", chat).out
    renamed = cli("chat", "--rename", chat, "About Ada", "--json").document
    check(renamed, "chat --rename")
    assert renamed["title"] == "About Ada"
    assert "About Ada" in cli("chat", "--list", "--search", "ABOUT ada").out
    assert cli("chat", "foal", "--list", "--json").document["chats"] == []
    gone = cli("chat", "--delete", chat, "--yes", "--json").document
    check(gone, "chat --delete")
    assert gone == {"deleted": 1}
    assert cli("chat", "--show", chat).code == NotFound.exit_code


def test_a_conversation_goes_on_where_it_was(cli: Cli) -> None:
    """The model is told what was said before, in another process and another run."""
    chat = kept_as(cli(*TALK, stdin="My name is Ada.\n"))
    done = cli("chat", "--resume", chat, *GREEDY, "--json", stdin="What is my name?\n")
    assert kept_as(done) == chat
    assert "Ada" in json.loads(done.out)["text"]
    other = kept_as(cli(*TALK, stdin="Hello\n"))
    assert kept_as(cli("chat", "--resume", "last", "--json", stdin="And now?\n")) == other
    lengths = {one["id"]: one["length"] for one in cli("chat", "--list", "--json").document["chats"]}
    assert lengths == {chat: 4, other: 4}


def test_clear_begins_another_conversation(cli: Cli) -> None:
    """What was forgotten is not written into, and what follows is its own."""
    assert cli(*TALK, stdin="One\n/clear\nTwo\n").code == 0
    page = cli("chat", "--list", "--json").document
    assert [(one["title"], one["length"]) for one in page["chats"]] == [("Two", 2), ("One", 2)]


def test_nothing_is_kept_when_nothing_is_to_be_kept(cli: Cli) -> None:
    """For one conversation, for all, and for a chat in which nothing was said."""
    assert cli(*TALK, "--no-history", stdin="Hello\n").code == 0
    assert cli(*TALK, stdin="Hello\n", environment={"PADDOCK_CHATS__KEEP": "false"}).code == 0
    assert cli(*TALK, stdin="\n/bye\n").code == 0
    chat = kept_as(cli(*TALK, stdin="Hello\n"))
    assert cli("chat", "--resume", chat, "--no-history", stdin="Still there?\n").code == 0
    (one,) = cli("chat", "--list", "--json").document["chats"]
    assert (one["id"], one["length"]) == (chat, 2)


def test_deleting_asks_first_and_all_is_all(cli: Cli) -> None:
    """Nobody loses conversations by a slip, and who wants them gone gets that."""
    chat = kept_as(cli(*TALK, stdin="Hello\n"))
    kept_as(cli(*TALK, stdin="Hello again\n"))
    assert cli("chat", "--delete", "--all", "--json").code == UsageError.exit_code
    assert cli("chat", "--delete", "--yes").code == UsageError.exit_code
    assert cli("chat", "--delete", chat, "--all", "--yes").code == UsageError.exit_code
    assert cli("chat", "--delete", chat, "00000bad", "--yes").code == NotFound.exit_code
    assert len(cli("chat", "--list", "--json").document["chats"]) == 2
    assert cli("chat", "--delete", "--all", "--yes").out == "2 conversations are gone.\n"
    assert cli("chat", "--list").out.startswith("No conversations.")


@pytest.mark.parametrize(
    "words",
    [
        ("--list", "--show", "00000abc"),
        ("--search", "words"),
        ("--all",),
        ("--list", "--no-history"),
        ("--resume", "last", "--system", "Be brief."),
        ("--resume", "last"),
        ("pony", "--show", "00000abc"),
    ],
)
def test_what_does_not_go_together_is_refused(site: Site, words: tuple[str, ...]) -> None:
    """An option that is passed over in silence is taken for one that was heeded."""
    assert Cli(site)("chat", *words).code == UsageError.exit_code


def test_a_conversation_that_is_full_goes_on_without_being_kept(site: Site) -> None:
    """Who talks is told once, and goes on talking."""
    done = Cli(site)(*TALK, stdin="One\nTwo\nThree\n", environment={"PADDOCK_CHATS__MESSAGES_MAX": "2"})
    assert done.code == 0
    assert len(done.out.splitlines()) == 3
    (warning,) = [report["warning"] for report in done.reports if "warning" in report]
    assert "chats.messages_max" in warning


def test_a_turn_that_failed_is_kept_as_failed_and_not_told_again(site: Site) -> None:
    """The conversation goes on as it did when it was spoken."""
    cli = Cli(site)
    chat = kept_as(cli(*TALK, stdin=f"{'horse ' * 3000}\nWhat is 2 plus 2?\n"))
    messages = cli("chat", "--show", chat, "--json").document["messages"]
    assert [message["finish_reason"] for message in messages][1] == "error"
    assert messages[1]["parts"] == []
    assert messages[3]["finish_reason"] == "stop"
    done = cli("chat", "--resume", chat, *GREEDY, "--json", stdin="Thank you\n")
    assert json.loads(done.out)["usage"]["prompt_tokens"] < 200


def test_what_is_said_reaches_the_database_and_no_log(
    site: Site, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The promise behind keeping conversations at all; the file is this person's alone."""
    caplog.set_level(logging.DEBUG)
    with RunningServer(site):
        cli = Cli(site)
        chat = kept_as(cli(*TALK, stdin="My word is xyzzy\n"))
        assert cli("chat", "--list", "--search", "xyzzy", "--json").document["chats"]
        cli("chat", "--rename", chat, "xyzzy it is")
        cli("chat", "--rename", "00000bad", "xyzzy")
    written = capfd.readouterr()
    assert "xyzzy" not in written.out + written.err + caplog.text
    found = [path for path in site.home.rglob("*") if path.is_file() and b"xyzzy" in path.read_bytes()]
    assert {path.name.removesuffix("-wal") for path in found} == {"paddock.db"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}


def database(home: Path) -> Path:
    (path,) = home.rglob("paddock.db")
    return path


def rows(home: Path) -> list[tuple[str, str | None, str]]:
    """Role, end and text of every message, in order."""
    with closing(sqlite3.connect(database(home))) as connection:
        return connection.execute("SELECT role, finish_reason, folded FROM chat_messages ORDER BY position").fetchall()


@pytest.fixture
def variables(site: Site) -> dict[str, str]:
    return {**os.environ, **site.variables}


def test_an_answer_cut_by_ctrl_c_is_kept_as_cut(site: Site, variables: dict[str, str]) -> None:
    """As far as it came, and what follows is told of it."""
    terminal = Terminal(["chat", "pony", *GREEDY], variables)
    try:
        terminal.until(">>> ")
        terminal.type(f"{LONG}\n")
        terminal.until("story about a horse.*\n.*[a-z]{3} [a-z]")
        terminal.process.send_signal(signal.SIGINT)
        terminal.until(">>> ")
        terminal.type("What is 2 plus 2?\n")
        terminal.until("4")
        terminal.until(">>> ")
        terminal.type("/bye\n")
        terminal.until("chat --resume [0-9a-f]+")
        assert terminal.exit_code() == 0
    finally:
        terminal.close()
    kept = rows(site.home)
    assert [(role, end) for role, end, _ in kept] == [
        ("user", None), ("assistant", "cancelled"), ("user", None), ("assistant", "stop"),
    ]  # fmt: skip
    assert kept[1][2]


def test_a_crash_loses_the_answer_under_way_and_nothing_else(site: Site, variables: dict[str, str]) -> None:
    """The question stays, so that it can be asked again; the next run goes on with what was answered."""
    terminal = Terminal(["chat", "pony", *GREEDY], variables)
    try:
        terminal.until(">>> ")
        terminal.type("My name is Ada.\n")
        terminal.until(">>> ")
        terminal.type(f"{LONG}\n")
        terminal.until("story about a horse.*\n.*[a-z]{3} [a-z]")
        terminal.process.kill()
        terminal.process.wait()
    finally:
        terminal.close()
    assert [role for role, _, _ in rows(site.home)] == ["user", "assistant", "user"]
    done = paddock(["chat", "--resume", "last", *GREEDY, "--json"], variables, stdin="What is my name?\n")
    assert "Ada" in json.loads(done.stdout)["text"]
    assert [role for role, _, _ in rows(site.home)] == ["user", "assistant", "user", "user", "assistant"]


def test_an_end_from_outside_keeps_what_was_heard(site: Site, variables: dict[str, str]) -> None:
    """A closed terminal or a shutdown is no crash."""
    terminal = Terminal(["chat", "pony", *GREEDY], variables)
    try:
        terminal.until(">>> ")
        terminal.type(f"{LONG}\n")
        terminal.until("story about a horse.*\n.*[a-z]{3} [a-z]")
        terminal.process.terminate()
        assert terminal.exit_code() == 130
    finally:
        terminal.close()
    kept = rows(site.home)
    assert [(role, end) for role, end, _ in kept] == [("user", None), ("assistant", "cancelled")]
    assert kept[1][2]
