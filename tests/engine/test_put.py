"""Tokens that nobody sampled, put into an answer: fed like a prompt's, counted like an answer's."""

import pytest

from paddock.vocabulary import FinishReason
from tests.engine.test_scheduler import Bench


@pytest.mark.parametrize("pages", [True, False])
def test_tokens_that_are_put_in_are_fed_together_and_the_answer_goes_on(pages: bool) -> None:
    """A thought is ended by the tokens that end it; what follows must be computed from these."""
    bench = Bench(pages=pages)
    bench.submit("a", [1, 2, 3], max_tokens=8, may_guess=False)
    bench.step(a=(50,))
    put = bench.scheduler.put("a", (60, 61, 62))
    bench.scheduler.check()
    assert (put.tokens, put.finish_reason) == ((60, 61, 62), None)
    (row,) = bench.step(a=(51,)).rows
    assert (row.tokens, row.start, row.samples) == ((50, 60, 61, 62), 3, True)
    (row,) = bench.plan().rows
    assert row.tokens == (51,)


def test_tokens_that_are_put_in_end_at_the_token_limit() -> None:
    """Whoever asked for so many tokens gets no more."""
    bench = Bench()
    bench.submit("a", [1, 2, 3], max_tokens=3, may_guess=False)
    bench.step(a=(50,))
    put = bench.scheduler.put("a", (60, 61, 62))
    bench.scheduler.check()
    assert (put.tokens, put.finish_reason) == ((60, 61), FinishReason.LENGTH)
    assert put.usage is not None
    assert put.usage.completion_tokens == 3
    assert bench.scheduler.is_idle


def test_nobody_guesses_past_a_place_where_tokens_may_be_put_in() -> None:
    """Else a thought would be longer with guesses than without, and the answer another one."""
    bench = Bench(guesses=True)
    bench.submit("a", [1, 2, 3], max_tokens=20, may_guess=False)
    bench.step(a=(50,))
    (row,) = bench.step(a=(51,)).rows
    assert row.drafted == 0
    bench.scheduler.let_guess("a")
    (row,) = bench.plan().rows
    assert row.drafted > 0
