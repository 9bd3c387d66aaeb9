"""Sizes and durations are exact, and what is shown can be written back."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.config.units import (
    BYTES_MAX,
    FOREVER,
    format_duration,
    format_size,
    parse_duration,
    parse_memory,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("1000", 1000), ("4GB", 4 * 10**9), ("4 GiB", 4 * 2**30), ("512m", 512 * 10**6), ("1.5kb", 1500)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "4 bananas", "1e9", "GB", "9999PB", "0x10", "1ib", "true", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"size|disk"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1800), ("1h30m", 5400), ("1h 30m", 5400), ("90", 90), ("0", 0), ("250ms", 0.25)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


def test_forever_is_a_duration() -> None:
    assert parse_duration("forever") == parse_duration(-1) == FOREVER


@pytest.mark.parametrize("text", ["", "m", "-5m", "5 parsecs", "1h-30m", "99999d", "1e20", "inf"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|ten years"):
        parse_duration(text)


def test_memory_is_a_share_or_a_size() -> None:
    assert parse_memory("75%").of(1000) == 750
    assert parse_memory("4GB").of(1000) == 4 * 10**9
    assert str(parse_memory("33.3%")) == "33.3%"
    for text in ("0%", "101%", "%", "-5%", "0"):
        with pytest.raises(ValueError, match=r".+"):
            parse_memory(text)


@given(st.integers(0, BYTES_MAX))
def test_a_size_reads_back_as_it_was_shown(size: int) -> None:
    assert parse_size(format_size(size)) == size


@given(st.integers(0, 10**11).map(lambda count: timedelta(milliseconds=count)) | st.just(FOREVER))
def test_a_duration_reads_back_as_it_was_shown(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration
