"""The disk rules of a pull, with exact numbers: the floor nothing may override, the factor that asks."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.store.space import DiskOutcome, free_space, judge_disk, required_bytes, volume_of

GB = 1_000_000_000


@pytest.mark.parametrize(
    ("free", "outcome"),
    [
        (20 * GB, DiskOutcome.FITS),
        (20 * GB - 1, DiskOutcome.TIGHT),
        (11 * GB, DiskOutcome.TIGHT),
        (11 * GB - 1, DiskOutcome.REFUSED),
        (0, DiskOutcome.REFUSED),
    ],
)
def test_ten_gigabytes_want_eleven_and_would_like_twenty(free: int, outcome: DiskOutcome) -> None:
    verdict = judge_disk(10 * GB, free_bytes=free)
    assert verdict.outcome is outcome
    assert (verdict.floor_bytes, verdict.comfortable_bytes) == (11 * GB, 20 * GB)
    assert verdict.missing_bytes == max(0, 11 * GB - free)


def test_what_other_pulls_will_fill_is_not_free() -> None:
    """Two pulls that fit alone and not together: the second is refused before a byte moves."""
    assert judge_disk(10 * GB, free_bytes=15 * GB).outcome is DiskOutcome.TIGHT
    verdict = judge_disk(10 * GB, free_bytes=15 * GB, reserved_bytes=10 * GB)
    assert verdict.outcome is DiskOutcome.REFUSED
    error = verdict.refusal("org/name")
    for said in ("org/name", "10.0 GB", "11.0 GB", "5.0 GB"):
        assert said in error.message
    assert "6.0 GB" in error.hint
    assert "paddock prune" in error.hint


def test_the_factor_never_asks_for_less_than_the_floor() -> None:
    verdict = judge_disk(10 * GB, free_bytes=11 * GB, factor=1.0)
    assert (verdict.outcome, verdict.comfortable_bytes) == (DiskOutcome.FITS, 11 * GB)


def test_a_pull_that_fetches_nothing_always_fits() -> None:
    assert judge_disk(0, free_bytes=0, reserved_bytes=5).outcome is DiskOutcome.FITS


def test_a_tenth_is_rounded_up() -> None:
    assert [required_bytes(size) for size in (0, 1, 10, 11)] == [0, 2, 11, 13]


@given(st.integers(0, 1 << 50), st.integers(0, 1 << 50), st.integers(0, 1 << 50), st.floats(1.0, 10.0, allow_nan=False))
def test_more_room_never_makes_a_verdict_worse(size: int, free: int, reserved: int, factor: float) -> None:
    order = [DiskOutcome.REFUSED, DiskOutcome.TIGHT, DiskOutcome.FITS]
    less = judge_disk(size, free_bytes=free, reserved_bytes=reserved, factor=factor)
    more = judge_disk(size, free_bytes=free + 1 + size, reserved_bytes=reserved, factor=factor)
    assert order.index(more.outcome) >= order.index(less.outcome)
    assert (less.missing_bytes == 0) == (less.outcome is not DiskOutcome.REFUSED) or size == 0


def test_a_folder_that_does_not_exist_yet_has_the_disk_of_its_parent(tmp_path: Path) -> None:
    assert free_space(tmp_path / "not" / "yet") > 0
    assert volume_of(tmp_path / "not" / "yet") == volume_of(tmp_path)
