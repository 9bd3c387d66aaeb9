"""How much fits in a step, learnt from steps."""

from dataclasses import replace

import pytest

from paddock.engine.limits import Limits
from paddock.engine.pace import Pace

LIMITS = Limits(
    vocabulary=8,
    context_window=8,
    step_seconds_max=0.1,
    step_stretch=4.0,
    prefill_tokens_first=64,
    prefill_tokens_min=16,
    step_tokens_max=1000,
)


def test_the_first_step_takes_a_guess() -> None:
    """Nothing has been measured."""
    assert Pace(LIMITS).prefill_budget(3, alone=False) == 64


@pytest.mark.parametrize("token_s", [0.0005, 0.001, 0.004])
def test_steps_settle_at_the_time_allowed(token_s: float) -> None:
    """On any device: the budget is found within some steps and stays."""
    pace = Pace(LIMITS)
    elapsed_s = 0.0
    for _ in range(30):
        budget = pace.prefill_budget(4, alone=False)
        elapsed_s = 4 * 0.005 + budget * token_s
        pace.learn(decode_rows=4, prefill_tokens=0, elapsed_s=4 * 0.005)
        pace.learn(decode_rows=4, prefill_tokens=budget, elapsed_s=elapsed_s)
    assert elapsed_s == pytest.approx(0.1, rel=0.05)
    assert pace.prefill_budget(0, alone=True) > 3 * pace.prefill_budget(4, alone=False)


def test_a_device_that_slows_down_gets_less_at_once() -> None:
    """Long contexts make tokens dearer."""
    pace = Pace(LIMITS)
    pace.learn(decode_rows=0, prefill_tokens=100, elapsed_s=0.1)
    before = pace.prefill_budget(0, alone=False)
    for _ in range(10):
        pace.learn(decode_rows=0, prefill_tokens=100, elapsed_s=0.2)
    assert pace.prefill_budget(0, alone=False) < 0.6 * before


def test_one_slow_step_does_not_stop_prompts() -> None:
    """The first step of a shape compiles; that says little about the next."""
    pace = Pace(LIMITS)
    pace.learn(decode_rows=0, prefill_tokens=100, elapsed_s=0.1)
    pace.learn(decode_rows=0, prefill_tokens=100, elapsed_s=60.0)
    assert pace.prefill_budget(0, alone=False) >= 50


def test_the_budget_keeps_its_bounds() -> None:
    """A prompt always advances, and one step never takes everything."""
    pace = Pace(LIMITS)
    pace.learn(decode_rows=1, prefill_tokens=0, elapsed_s=5.0)
    pace.learn(decode_rows=1, prefill_tokens=10, elapsed_s=9.0)
    assert pace.prefill_budget(10, alone=False) == 16
    fast = Pace(LIMITS)
    fast.learn(decode_rows=0, prefill_tokens=1000, elapsed_s=0.0)
    assert fast.prefill_budget(0, alone=False) == 1000


def test_what_one_row_took_is_not_what_each_of_many_takes() -> None:
    """Sixteen rows share what a step costs anyway: counted one by one they would leave nothing for prompts."""
    pace = Pace(LIMITS)
    pace.learn(decode_rows=1, prefill_tokens=0, elapsed_s=0.02)
    pace.learn(decode_rows=0, prefill_tokens=100, elapsed_s=0.1)
    assert pace.decode_s(16) < 0.08
    assert pace.prefill_budget(16, alone=False) > 30


def test_where_decoding_is_dear_steps_are_longer_up_to_the_bound() -> None:
    """A step of a tenth of a second that decodes for half of it reads a prompt at half speed."""
    pace = Pace(replace(LIMITS, step_seconds_max=0.5))
    pace.learn(decode_rows=16, prefill_tokens=0, elapsed_s=0.001)
    assert pace.slice_s(16) == pytest.approx(0.1)
    pace = Pace(replace(LIMITS, step_seconds_max=0.5))
    pace.learn(decode_rows=16, prefill_tokens=0, elapsed_s=0.05)
    assert 0.1 < pace.slice_s(16) < 0.5
    for _ in range(20):
        pace.learn(decode_rows=16, prefill_tokens=0, elapsed_s=0.2)
    assert pace.slice_s(16) == 0.5


def test_prompts_get_on_where_decoding_fills_the_slice() -> None:
    """With the least that a step may hold, a prompt of thousands of tokens would pay hundreds of times for decoding."""
    pace = Pace(LIMITS)
    pace.learn(decode_rows=16, prefill_tokens=0, elapsed_s=0.2)
    for _ in range(20):
        pace.learn(decode_rows=16, prefill_tokens=100, elapsed_s=0.3)
    assert pace.prefill_budget(16, alone=False) >= 90


def test_where_more_wait_for_their_first_token_than_for_their_next_the_step_is_theirs() -> None:
    """One that came a moment earlier must not make seven others wait for short steps."""
    pace = Pace(replace(LIMITS, step_seconds_max=0.5))
    pace.learn(decode_rows=1, prefill_tokens=0, elapsed_s=0.001)
    assert pace.slice_s(1, prompts=1) == pytest.approx(0.1)
    assert pace.slice_s(1, prompts=3) == pytest.approx(0.3)
    assert pace.slice_s(1, prompts=50) == 0.5
    assert pace.slice_s(4, prompts=4) == pace.slice_s(4)
    pace.learn(decode_rows=0, prefill_tokens=100, elapsed_s=0.1)
    assert pace.prefill_budget(1, alone=False, prompts=7) > pace.prefill_budget(1, alone=False, prompts=1)
