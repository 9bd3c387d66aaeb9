"""Guessing costs time, in virtual seconds: a few tries are free, then each costs twice the one before."""

import pytest

from paddock.errors import TooManyAttempts
from paddock.security import throttle
from paddock.security.throttle import Pace, Throttle
from tests.library.rooms import Clock

PACE = Pace(free=3, first_s=1.0, longest_s=60.0)
ADA = ("pair", "ada", "::1")


def test_each_try_beyond_the_free_ones_costs_twice_the_time() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(3):
        throttle.begin({ADA: PACE})
    waits: list[float] = []
    for _ in range(8):
        with pytest.raises(TooManyAttempts) as caught:
            throttle.begin({ADA: PACE})
        assert caught.value.retry_after_s
        waits.append(caught.value.retry_after_s)
        clock.advance(caught.value.retry_after_s)
        throttle.begin({ADA: PACE})
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_asking_while_one_has_to_wait_costs_nothing_more() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(3):
        throttle.begin({ADA: PACE})
    for _ in range(100):
        with pytest.raises(TooManyAttempts):
            throttle.begin({ADA: PACE})
    clock.advance(1.0)
    throttle.begin({ADA: PACE})


def test_success_and_time_forget_what_failed() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(3):
        throttle.begin({ADA: PACE})
    throttle.succeeded(ADA)
    for _ in range(3):
        throttle.begin({ADA: PACE})
    clock.advance(121.0)
    for _ in range(3):
        throttle.begin({ADA: PACE})


def test_others_are_not_kept_waiting_and_memory_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "ENTRIES_MAX", 10)
    room = Throttle(Clock())
    for number in range(100):
        room.begin({("pair", f"user{number}", "::1"): PACE})
    assert len(room._tries) == 10  # pyright: ignore[reportPrivateUsage]
