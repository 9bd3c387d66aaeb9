"""`paddock run` and `paddock chat`: the real program, a real runner, the built-in model."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

PROGRAM = (sys.executable, "-P", "-c", "from paddock.cli.main import main; main()")
GREEDY = ("--temperature", "0")
LONG = "Tell me a story about a horse."
ENDLESS = (
    "Tell me a story.",
    "--temperature",
    "2",
    "--seed",
    "3",
)  # so hot that it finds no end for hundreds of tokens
BOUNDED_S = 120.0  # for anything, however busy this machine is


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PADDOCK_HOME": str(tmp_path),
        "HF_HOME": str(tmp_path / "hf"),
        "OLLAMA_MODELS": str(tmp_path / "o"),
    }


def paddock(words: Sequence[str], variables: dict[str, str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *words], env=variables, input=stdin, capture_output=True, text=True, timeout=BOUNDED_S, check=False
    )


def test_run_answers_once(variables: dict[str, str]) -> None:
    """The first thing that anybody tries."""
    done = paddock(["run", "pony", "What is 3 plus 4?", *GREEDY, "--verbose"], variables)
    assert done.returncode == 0, done.stderr
    assert "7" in done.stdout
    assert done.stdout.count("\n") == 1
    assert re.search(r"tokens; the first after \d", done.stderr)


def test_auto_finds_the_model_that_suits(variables: dict[str, str]) -> None:
    """Who does not know a name need not learn one first."""
    done = paddock(["run", "auto:code", "What is 3 plus 4?", *GREEDY, "--json"], variables)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"] == "pony"
    assert paddock(["run", "auto:kode", "Hi"], variables).returncode == 4


def test_run_answers_what_comes_through_standard_input_as_json(variables: dict[str, str]) -> None:
    done = paddock(["run", "pony", *GREEDY, "--json", "--max-tokens", "4"], variables, stdin=LONG)
    document = json.loads(done.stdout)
    assert document["model"] == "pony"
    assert document["finish_reason"] == "length"
    assert document["usage"]["completion_tokens"] == 4
    assert document["text"]
    assert document["first_token_seconds"] > 0


def test_the_same_seed_gives_the_same_answer(variables: dict[str, str]) -> None:
    words = ["run", "pony", LONG, "--seed", "7", "--temperature", "1.2", "--max-tokens", "30"]
    assert paddock(words, variables).stdout == paddock(words, variables).stdout


def test_chat_remembers_and_clear_forgets(variables: dict[str, str]) -> None:
    talk = "My name is Ada.\nWhat is my name?\n/clear\nWhat is my name?\n/bye\nignored\n"
    done = paddock(["chat", "pony", *GREEDY, "--json"], variables, stdin=talk)
    answers = [json.loads(line)["text"] for line in done.stdout.splitlines()]
    assert len(answers) == 3
    assert "Ada" in answers[1]
    assert "Ada" not in answers[2]


def test_a_prompt_that_is_too_long_does_not_end_the_chat(variables: dict[str, str]) -> None:
    done = paddock(["chat", "pony", *GREEDY], variables, stdin=f"{'horse ' * 3000}\nWhat is 2 plus 2?\n")
    assert "the context holds 2048" in done.stderr
    assert "4" in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["run", "pony", "hi", "--temperature", "-1"], 2),
        (["run", "nobody/nothing", "hi"], 4),
        (["run", "pony", " "], 2),
    ],
)
def test_what_cannot_be_done_says_so(variables: dict[str, str], words: list[str], code: int) -> None:
    done = paddock(words, variables)
    assert done.returncode == code
    assert "error:" in done.stderr
    assert "hint:" in done.stderr


class Terminal:
    """The program at a terminal, typed at and read from."""

    def __init__(self, words: Sequence[str], variables: dict[str, str]) -> None:
        ours, theirs = pty.openpty()
        self._ours = ours
        self._read = b""
        self.process = subprocess.Popen(
            [*PROGRAM, *words], env=variables, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        os.set_blocking(ours, False)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def until(self, pattern: str, timeout_s: float = BOUNDED_S) -> str:
        """Read until `pattern` comes, and forget what was read."""
        deadline = time.monotonic() + timeout_s
        while (found := re.search(pattern.encode(), self._read)) is None:
            assert time.monotonic() < deadline, f"no {pattern!r} in {self._read!r}"
            self._take()
        text, self._read = self._read[: found.end()], self._read[found.end() :]
        return text.decode()

    def exit_code(self) -> int:
        """Wait for its end; reads on meanwhile, since a program whose terminal is full cannot end."""
        deadline = time.monotonic() + BOUNDED_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "it does not end"
            self._take()
        return self.process.returncode

    def _take(self) -> None:
        with contextlib.suppress(OSError):  # nothing there; or the other end is closed
            self._read += os.read(self._ours, 65536)
        time.sleep(0.01)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


def test_ctrl_c_stops_the_answer_and_not_the_chat(variables: dict[str, str]) -> None:
    terminal = Terminal(["chat", "pony", *GREEDY], variables)
    try:
        terminal.until(">>> ")
        terminal.process.send_signal(signal.SIGINT)
        terminal.until("leaves")
        terminal.type(f"{LONG}\n")
        terminal.until("story about a horse.*\n.*[a-z]{3} [a-z]")
        terminal.process.send_signal(signal.SIGINT)
        terminal.until(">>> ")
        terminal.type("What is 2 plus 2?\n")
        terminal.until("4")
        terminal.until(">>> ")
        terminal.type("/bye\n")
        assert terminal.exit_code() == 0
    finally:
        terminal.close()


def test_ctrl_c_ends_a_single_answer_and_its_runner(variables: dict[str, str]) -> None:
    """It is asked in the middle of the answer: a program that answers to the end first has not heard."""
    terminal = Terminal(["run", "pony", *ENDLESS], variables)
    try:
        terminal.until("[a-z]{3} [a-z]")
        runners = psutil.Process(terminal.process.pid).children()
        assert runners
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.exit_code() == 130
        _, alive = psutil.wait_procs(runners, timeout=BOUNDED_S)
        assert not alive
    finally:
        terminal.close()


def test_guessing_ahead_changes_no_answer_and_is_told(variables: dict[str, str]) -> None:
    """`--draft` takes a name like any other; what is promised is the same text."""
    words = ["run", "pony", LONG, *GREEDY, "--max-tokens", "24", "--json"]
    plain = json.loads(paddock(words, variables).stdout)
    ngrams = json.loads(paddock([*words, "--ngrams"], variables).stdout)
    drafted = json.loads(paddock([*words, "--draft", "foal"], variables).stdout)
    assert plain["text"] == ngrams["text"] == drafted["text"]
    assert 0 < drafted["usage"]["accepted_tokens"] <= drafted["usage"]["drafted_tokens"]


def test_a_draft_that_cannot_be_had_says_so(variables: dict[str, str]) -> None:
    done = paddock(["run", "pony", "hi", "--draft", "nobody/nothing"], variables)
    assert done.returncode == 4
    assert "error:" in done.stderr
