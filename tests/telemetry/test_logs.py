"""The log is read by people and machines, kept for months, and sent around; nothing private may be in it."""

import io
import json
import logging
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from paddock.config.schema import Log
from paddock.errors import NotFound
from paddock.telemetry.logs import FILE_NAME, LogTail, get_logger, start_logging

CANARY = "canary-7f3a-prompt"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines_of(text: str) -> list[Mapping[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_one_object_a_line_to_the_stream_the_file_and_the_tail(tmp_path: Path) -> None:
    """Whatever shows it, it is the same line."""
    stream, tail = io.StringIO(), LogTail(10)
    with start_logging(Log(), stream=stream, folder=tmp_path, tail=tail):
        get_logger("paddock.test").info("request", status=200, text="a\nb", nothing=None)
    (line,) = lines_of(stream.getvalue())
    assert (line["event"], line["level"], line["status"], line["text"]) == ("request", "info", 200, "a\nb")
    assert "nothing" not in line
    assert [kept["event"] for kept in tail.latest(10)] == ["request"]
    assert lines_of((tmp_path / FILE_NAME).read_text())[0]["event"] == "request"
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_people_get_a_readable_line(tmp_path: Path) -> None:
    """On a terminal nobody wants JSON; a control character in a field must not do anything there."""
    stream = Terminal()
    with start_logging(Log(file=False), stream=stream, folder=tmp_path, tail=LogTail(1)):
        get_logger("paddock.test").info("request", route="/v1/models", odd="\x1b[2J")
    assert "route=/v1/models" in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_what_an_exception_says_is_never_written(tmp_path: Path, level: str) -> None:
    """Libraries put what they were given into their messages: pydantic the input, SQL drivers the row, httpx the address."""
    stream, tail = io.StringIO(), LogTail(100)
    settings = Log.model_validate({"level": level})
    with start_logging(settings, stream=stream, folder=tmp_path, tail=tail):
        for logger in (get_logger("paddock.test"), logging.getLogger("somebody.else")):
            try:
                try:
                    raise ValueError(CANARY)
                except ValueError as error:
                    raise NotFound(f"{CANARY} is not here", hint=CANARY) from error
            except NotFound:
                logger.exception("broke")
        logging.getLogger("somebody.else").error("asked https://user:%s@hub.example/x?signature=%s", CANARY, CANARY)
        logging.getLogger("httpx2").info("HTTP Request: GET https://hub.example/?token=%s", CANARY)
        logging.getLogger("huggingface_hub").debug("%s", CANARY)
    everywhere = stream.getvalue() + (tmp_path / FILE_NAME).read_text() + repr(tail.latest(100))
    assert CANARY not in everywhere
    broke = [line for line in lines_of(stream.getvalue()) if line["event"] == "broke"]
    assert len(broke) == 2
    for line in broke:
        kinds = [cause["kind"] for cause in line["exception"]]
        assert kinds == ["paddock.errors.NotFound", "builtins.ValueError"]
        assert any("test_logs.py" in place for place in line["exception"][0]["at"])
    assert "https://hub.example/…" in stream.getvalue()


def test_a_level_keeps_lesser_lines_out(tmp_path: Path) -> None:
    stream = io.StringIO()
    with start_logging(Log(level="warning", file=False), stream=stream, folder=tmp_path, tail=LogTail(9)):
        get_logger("paddock.test").info("quiet")
        get_logger("paddock.test").warning("loud")
    assert [line["event"] for line in lines_of(stream.getvalue())] == ["loud"]


def test_afterwards_logging_is_as_it_was(tmp_path: Path) -> None:
    """A process that served may go on to do other things."""
    before = logging.getLogger().handlers[:], logging.getLogger().level
    with start_logging(Log(), stream=io.StringIO(), folder=tmp_path, tail=LogTail(1)):
        pass
    assert (logging.getLogger().handlers, logging.getLogger().level) == before


def test_a_file_that_grows_is_put_aside(tmp_path: Path) -> None:
    """A log must not be what fills the disk."""
    settings = Log.model_validate({"file_bytes_max": "2KB", "files_max": 3})
    with start_logging(settings, stream=io.StringIO(), folder=tmp_path, tail=LogTail(1)):
        for number in range(200):
            get_logger("paddock.test").info("line", number=number)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [FILE_NAME, f"{FILE_NAME}.1", f"{FILE_NAME}.2"]
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())


_FILLS = """
import io, os, signal, sys
from pathlib import Path
from paddock.config.schema import Log
from paddock.telemetry.logs import LogTail, get_logger, start_logging
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
tail = LogTail(1000)
with start_logging(Log(), stream=sys.stdout, folder=Path(sys.argv[1]), tail=tail):
    for number in range(300):
        get_logger("paddock.test").info("line", number=number)
    os.truncate(Path(sys.argv[1]) / "server.log", 0)  # there is room again
    get_logger("paddock.test").info("again")
print(len(tail.latest(1000)))
"""


def test_a_full_disk_costs_lines_of_the_file_and_nothing_else(tmp_path: Path) -> None:
    """Whoever logs must never fail for it; once there is room, lines are kept again."""
    done = subprocess.run(
        [
            sys.executable,
            "-B",
            "-c",
            _FILLS,
            str(tmp_path),
        ],  # -B: half a compiled module would break whoever imports it next
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    *lines, kept = done.stdout.splitlines()
    assert (len(lines), kept) == (301, "301")
    assert lines_of((tmp_path / FILE_NAME).read_text())[-1]["event"] == "again"
