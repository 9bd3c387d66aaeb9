"""What people watch during a pull: numbers that never lie and never run backwards without a reason."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime

from paddock.hub.progress import PullProgress
from paddock.vocabulary import PullStatus

NOW = datetime(2026, 11, 21, tzinfo=UTC)


class Clock:
    """Time that tests move."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def meter(clock: Clock, sizes: Mapping[str, int | None], here: tuple[str, ...] = ()) -> PullProgress:
    return PullProgress(sizes, clock=clock, now=lambda: NOW, here=here)


def test_the_first_event_says_0_and_the_last_100_percent() -> None:
    clock = Clock()
    progress = meter(clock, {"a": 100})
    assert progress.event().percentage == 0.0
    progress.at("a", 0)
    clock.time += 1
    progress.at("a", 100)
    assert progress.event().percentage < 100, "bytes that are not checked are no success"
    progress.finished("a")
    progress.set_status(PullStatus.COMPLETE)
    event = progress.event()
    assert (event.percentage, event.files_completed, event.total_files) == (100.0, 1, 1)
    assert (event.eta_seconds, event.download_speed, event.current_file) == (0.0, 0.0, None)
    assert event.timestamp == NOW


def test_the_speed_is_that_of_the_last_five_seconds() -> None:
    """An average since the start would hide that a line has slowed down."""
    clock = Clock()
    progress = meter(clock, {"a": 100_000})
    progress.at("a", 0)
    for second in range(1, 11):
        clock.time += 1
        progress.at("a", second * 1000)
    assert progress.event().download_speed == 1000
    done = 10_000
    for _ in range(5):
        clock.time += 1
        done += 100
        progress.at("a", done)
    event = progress.event()
    assert event.download_speed == 100
    assert event.eta_seconds == (100_000 - done) / 100


def test_a_stall_shows_as_a_speed_that_sinks_to_zero() -> None:
    clock = Clock()
    progress = meter(clock, {"a": 1000})
    progress.at("a", 0)
    clock.time += 1
    progress.at("a", 500)
    clock.time += 2
    first = progress.event()
    clock.time += 10
    second = progress.event()
    assert 0 < first.download_speed < 500
    assert (second.download_speed, second.eta_seconds) == (0.0, None)
    assert second.percentage == 50.0


def test_what_an_earlier_try_left_counts_as_done_but_not_as_speed() -> None:
    clock = Clock()
    progress = meter(clock, {"a": 1000, "b": 1000}, here=("b",))
    progress.at("a", 600)
    clock.time += 1
    progress.event()
    event = progress.event()
    assert (event.downloaded_bytes, event.download_speed, event.files_completed) == (1600, 0.0, 1)
    clock.time += 1
    progress.at("a", 700)
    assert progress.event().download_speed == 50.0, "100 bytes in the 2 seconds so far"


def test_the_percentage_falls_only_when_a_file_starts_again() -> None:
    clock = Clock()
    progress = meter(clock, {"a": 100, "b": 100})
    progress.event()
    progress.at("a", 0)
    progress.at("a", 90)
    assert progress.event().percentage == 45.0
    progress.at("a", 0)  # corrupt, from zero
    assert progress.event().percentage == 0.0
    progress.at("a", 50)
    assert progress.event().percentage == 25.0


def test_files_of_unknown_size_count_by_number_until_they_are_here() -> None:
    clock = Clock()
    progress = meter(clock, {"a": None, "b": None})
    progress.event()
    progress.at("a", 0)
    progress.at("a", 500)
    event = progress.event()
    assert (event.percentage, event.total_bytes, event.downloaded_bytes) == (0.0, 500, 500)
    progress.finished("a")
    assert progress.event().percentage == 50.0
    progress.at("b", 1)
    assert progress.event().percentage == 50.0
    progress.at("b", 700)
    progress.finished("b")
    assert progress.event().total_bytes == 1200


def test_the_current_file_is_the_one_that_moved_last() -> None:
    clock = Clock()
    progress = meter(clock, {"a": 10, "b": 10})
    progress.at("a", 1)
    progress.at("b", 1)
    assert progress.event().current_file == "b"
    progress.verifying("a")
    assert progress.event().current_file == "a"
    progress.finished("a")
    assert progress.event().current_file is None


def test_an_error_travels_with_the_event() -> None:
    progress = meter(Clock(), {"a": 10})
    progress.set_status(PullStatus.ERROR, "no route")
    event = progress.event()
    assert (event.status, event.error) == (PullStatus.ERROR, "no route")


def test_a_pull_of_nothing_completes() -> None:
    progress = meter(Clock(), {})
    assert progress.event().percentage == 0.0
    progress.set_status(PullStatus.COMPLETE)
    assert progress.event().percentage == 100.0


def test_many_threads_may_report_at_once() -> None:
    clock = Clock()
    files = [f"f{n}" for n in range(8)]
    progress = meter(clock, dict.fromkeys(files, 1000))

    def report(path: str) -> None:
        for done in range(0, 1001, 10):
            progress.at(path, done)
            progress.event()
        progress.finished(path)

    threads = [threading.Thread(target=report, args=(path,)) for path in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    event = progress.event()
    assert (event.downloaded_bytes, event.files_completed) == (8000, 8)
