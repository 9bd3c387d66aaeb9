"""Values read the way people say them."""

from datetime import UTC, datetime, timedelta

import pytest

from paddock.cli.words import ago, bytes_of, capabilities, compatibility, parameters, several, time_left, tokens
from paddock.vocabulary import Capabilities, Compatibility, Confidence, Verdict

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "words"),
    [(None, "–"), (999, "999"), (967_936, "968k"), (5_903_616, "5.9M"), (135_000_000, "135M"), (999_700_000, "1B"),
     (7_600_000_000, "7.6B"), (8_000_000_000, "8B"), (1_000_000_000_000, "1T")],
)  # fmt: skip
def test_parameters(count: int | None, words: str) -> None:
    assert parameters(count) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(512, "512"), (2048, "2k"), (32_768, "32k"), (131_072, "128k"), (1 << 20, "1M"), (5000, "5,000")],
)
def test_tokens(count: int, words: str) -> None:
    assert tokens(count) == words


@pytest.mark.parametrize(
    ("age", "words"),
    [(timedelta(seconds=-5), "just now"), (timedelta(seconds=59), "just now"), (timedelta(minutes=1), "1 minute ago"),
     (timedelta(hours=5), "5 hours ago"), (timedelta(days=1), "yesterday"), (timedelta(days=2), "2 days ago"),
     (timedelta(days=61), "2 months ago"), (timedelta(days=800), "2 years ago")],
)  # fmt: skip
def test_ago(age: timedelta, words: str) -> None:
    assert ago(NOW - age, NOW) == words


def test_a_time_without_a_zone_is_utc() -> None:
    assert ago(datetime(2026, 3, 10, 11, 0), NOW) == "1 hour ago"


def test_the_rest() -> None:
    assert capabilities(Capabilities(vision=True)) == "text, vision"
    assert capabilities(Capabilities(text=False)) == "–"
    assert bytes_of(2_900_000_000, 4_700_000_000) == "2.9 of 4.7 GB"
    assert bytes_of(800_000_000, 4_700_000_000) == "800.0 MB of 4.7 GB"
    assert several(1, "file") == "1 file"
    assert several(1200, "file") == "1,200 files"
    assert time_left(None) == ""
    assert time_left(90) == "1m 30s left"
    assert compatibility(Compatibility(verdict=Verdict.COMPATIBLE, confidence=Confidence.HIGH)) == (
        "compatible (high confidence)"
    )
    assert compatibility(Compatibility(verdict=Verdict.UNKNOWN)) == "unknown"
