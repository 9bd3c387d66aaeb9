"""The ledger is bounded, shared by processes, and never in the way of a refusal."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from paddock.airgap.refusals import Refusals

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at


def add(refusals: Refusals, host: str = "example.org", who: str = "a hub") -> None:
    refusals.add(process="serve", action="ask", host=host, port=443, who=who)


def test_what_was_refused_is_found_again_oldest_first(tmp_path: Path) -> None:
    clock = Clock()
    refusals = Refusals(tmp_path / "state" / "airgap.jsonl", now=clock)
    add(refusals, "first.example")
    clock.at += timedelta(minutes=1)
    add(refusals, "second.example", "a picture")
    found = Refusals(refusals.path).latest()
    assert [(one.host, one.port, one.who, one.at) for one in found] == [
        ("first.example", 443, "a hub", NOON),
        ("second.example", 443, "a picture", clock.at),
    ]
    assert [one.host for one in refusals.latest(1)] == ["second.example"]


def test_a_client_that_tries_a_thousand_times_a_second_fills_no_disk(tmp_path: Path) -> None:
    clock = Clock()
    refusals = Refusals(tmp_path / "airgap.jsonl", now=clock)
    for _ in range(3000):
        add(refusals)
        clock.at += timedelta(milliseconds=1)
    found = refusals.latest()
    assert len(found) <= 5
    assert sum(one.times for one in found) == 3000


def test_the_file_stays_within_its_bytes(tmp_path: Path) -> None:
    """Every destination another one: nothing to count together."""
    refusals = Refusals(tmp_path / "airgap.jsonl", now=lambda: NOON, bytes_max=10_000)
    for number in range(500):
        add(refusals, f"host-{number}.example")
    written = list(tmp_path.iterdir())
    assert len(written) == 2
    assert sum(path.stat().st_size for path in written) < 2 * 10_400
    assert refusals.latest()[-1].host == "host-499.example"


def test_processes_write_one_ledger_without_losing_lines(tmp_path: Path) -> None:
    """Also where the file is put aside under their hands."""
    path = tmp_path / "airgap.jsonl"
    code = (
        "import sys; from pathlib import Path; from paddock.airgap.refusals import Refusals\n"
        "r = Refusals(Path(sys.argv[1]), bytes_max=40_000)\n"
        "for n in range(100): r.add(process=sys.argv[2], action='ask', host=f'h{n}', port=1, who='x')\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), f"p{number}"]) for number in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    found = Refusals(path).latest()
    assert len({(one.process, one.host) for one in found}) == len(found) == 300


def test_lines_that_a_crash_cut_short_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "airgap.jsonl"
    refusals = Refusals(path)
    add(refusals)
    path.write_bytes(path.read_bytes() + b'{"at": "20')
    assert len(refusals.latest()) == 1


def test_a_disk_that_takes_nothing_keeps_the_last_in_memory(tmp_path: Path) -> None:
    """A folder stands where the file should be. What is refused stays refused, and told."""
    path = tmp_path / "airgap.jsonl"
    path.mkdir()
    refusals = Refusals(path)
    for number in range(1000):
        add(refusals, f"host-{number}.example")
    assert refusals.latest()[-1].host == "host-999.example"
    assert len(refusals.latest()) == 256
