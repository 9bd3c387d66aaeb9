"""Keep-alive values are read as people, Ollama's clients and our own configuration write them."""

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.errors import UsageError
from paddock.library.keepalive import KeepAlive


@pytest.mark.parametrize(
    ("written", "seconds", "spelled"),
    [
        ("30m", 1800, "30m"),
        ("1h30m", 5400, "1h30m"),
        ("90m", 5400, "1h30m"),
        (300, 300, "5m"),
        ("300", 300, "5m"),
        (1.5, 1.5, "1s500ms"),
        ("0", 0, "0s"),
        (0, 0, "0s"),
        ("forever", None, "forever"),
        (-1, None, "forever"),
        ("-1", None, "forever"),
        ("-5m", None, "forever"),
        (" 2D ", 172800, "2d"),
    ],
)
def test_each_spelling_means_what_it_means_elsewhere(written: str | float, seconds: float | None, spelled: str):
    """Ollama's clients send seconds, Go durations and negative numbers; the same model must stay as long here."""
    keep_alive = KeepAlive.parse(written)
    assert keep_alive.seconds == seconds
    assert str(keep_alive) == spelled
    assert keep_alive.is_forever == (seconds is None)
    assert keep_alive.is_none == (seconds == 0)


@pytest.mark.parametrize("written", ["", "soon", "5 parsecs", "10m later", "99999999d", "1e9", "nan", "inf", True, "-"])
def test_what_is_no_time_is_an_error_that_shows_how_to_write_one(written: str):
    with pytest.raises(UsageError) as caught:
        KeepAlive.parse(written)
    assert "`30m`" in caught.value.hint


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650)))
def test_what_is_written_is_read_back(duration: timedelta):
    """The database keeps the text, to the millisecond."""
    rounded = KeepAlive(timedelta(milliseconds=round(duration / timedelta(milliseconds=1))))
    assert KeepAlive.parse(str(rounded)) == rounded
    assert rounded <= KeepAlive.parse("forever")


@given(st.one_of(st.text(max_size=80), st.integers(), st.floats()))
def test_nothing_that_is_written_raises_anything_else(written: str | float):
    with suppress(UsageError):
        KeepAlive.parse(written)
