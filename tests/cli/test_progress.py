"""A pull shows how far it is: lively on a terminal, sparing in a log, exact for programs."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from paddock.cli.desk import Desk
from paddock.cli.flags import Flags
from paddock.cli.progress import LineProgress, LiveProgress, progress_display, progress_lines, progress_text
from paddock.cli.screen import Screen
from paddock.vocabulary import ProgressEvent, PullStatus
from tests.cli.running import Cli, Terminal

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)


def event(percentage: float, seconds: float = 0.0, **other: Any) -> ProgressEvent:
    values: dict[str, Any] = {
        "percentage": percentage,
        "downloaded_bytes": int(percentage * 47_000_000),
        "total_bytes": 4_700_000_000,
        "download_speed": 48_000_000.0,
        "eta_seconds": 38.0,
        "current_file": "model-00002.safetensors",
        "files_completed": 3,
        "total_files": 9,
        "status": PullStatus.DOWNLOADING,
        "error": None,
        "timestamp": BEGAN + timedelta(seconds=seconds),
    }
    return ProgressEvent(**{**values, **other})


def logged(events: list[ProgressEvent]) -> list[str]:
    stream = io.StringIO()
    with LineProgress(Screen.on(stream, {}), "m") as display:
        for one in events:
            display.show(one)
    return stream.getvalue().splitlines()


def test_an_event_in_words() -> None:
    assert progress_text(event(62)) == (
        "62.0 %, 2.9 of 4.7 GB, 48.0 MB/s, 38s left, 3 of 9 files, model-00002.safetensors"
    )
    assert progress_text(event(62, status=PullStatus.PAUSED)) == "paused, 62.0 %, 2.9 of 4.7 GB, 3 of 9 files"
    assert "left" not in progress_text(event(62, eta_seconds=None))


def test_a_log_gets_a_line_for_each_tenth() -> None:
    """A fast pull must not fill a log with hundreds of lines."""
    lines = logged([event(percentage / 2, seconds=percentage / 1000) for percentage in range(201)])
    assert len(lines) == 11


def test_a_slow_pull_is_heard_of_more_and_more_rarely() -> None:
    """Two seconds after the first line, then four, then eight, at last once a minute: an hour is about sixty lines."""
    lines = logged([event(seconds / 1000, seconds=seconds) for seconds in range(3600)])
    assert 55 <= len(lines) <= 75
    assert [line.split(",")[0] for line in lines[:4]] == ["m: 0.0 %"] * 4


def test_each_change_of_state_is_a_line() -> None:
    states = (PullStatus.QUEUED, PullStatus.DOWNLOADING, PullStatus.VERIFYING, PullStatus.COMPLETE)
    lines = logged([event(0.0, status=state) for state in states])
    assert [line.split(",")[0] for line in lines] == ["m: waiting", "m: 0.0 %", "m: checking", "m: done"]


def test_a_failure_is_left_to_the_error() -> None:
    """It is printed right after, with its hint: twice would be noise."""
    assert logged([event(0.0), event(5.0, status=PullStatus.ERROR, error="the disk is full")]) == [
        "m: 0.0 %, 0 bytes of 4.7 GB, 48.0 MB/s, 38s left, 3 of 9 files, model-00002.safetensors"
    ]


def test_the_bar_keeps_within_the_terminal() -> None:
    for width in (20, 40, 80, 200):
        for percentage in (0.0, 33.3, 100.0):
            head, detail = progress_lines("org/a-name", event(percentage), width=width)
            assert head.cell_len < width
            assert detail.cell_len < width
    head, _ = progress_lines("m", event(50.0), width=80)
    assert head.plain == f"m  {'━' * 20}{'─' * 20}   50.0 %"


def test_a_terminal_is_drawn_over_and_left_clean() -> None:
    """What remains is one line that says what is here now."""
    stream = Terminal()
    screen = Screen.on(stream, {"COLUMNS": "80", "TERM": "xterm-256color"})
    with LiveProgress(screen, "org/tiny") as display:
        display.show(event(10.0))
        display.show(event(20.0))
    drawn = stream.getvalue()
    assert "20.0 %" in drawn
    assert drawn.endswith("\x1b[1A\x1b[2K")  # up and cleared


def test_programs_get_every_event_as_one_line(cli: Cli) -> None:
    invocation = cli.invocation(["pull"])
    with progress_display(Desk(invocation, Flags(json=True)), "m") as display:
        display.show(event(12.5))
        display.show(event(13.0))
    assert isinstance(invocation.stderr, io.StringIO)
    told = [json.loads(line)["progress"] for line in invocation.stderr.getvalue().splitlines()]
    assert [one["percentage"] for one in told] == [12.5, 13.0]
    assert told[0]["timestamp"] == "2026-03-01T00:00:00Z"
    assert told[0]["status"] == "downloading"
