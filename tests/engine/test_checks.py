"""Poisoned requests end here: none of them may come near the device."""

import math
from typing import Any

import pytest

from paddock.engine.checks import check_prompt, check_sampling
from paddock.engine.limits import Limits
from paddock.engine.sequence import new_sequence
from paddock.errors import UsageError
from paddock.vocabulary import Sampling


def test_an_empty_prompt_is_refused() -> None:
    """There is no last token whose logits could be sampled."""
    with pytest.raises(UsageError, match="empty"):
        check_prompt([], 100, 64)


@pytest.mark.parametrize("length", [64, 65, 1000])
def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(length: int) -> None:
    """It is never cut: a cut prompt answers another question."""
    with pytest.raises(UsageError, match=rf"{length} tokens; the context holds 64"):
        check_prompt([1] * length, 100, 64)
    check_prompt([1] * 63, 100, 64)


@pytest.mark.parametrize("token", [-1, 100, 999999999, True, 1.0, None])
def test_a_token_that_does_not_exist_is_refused(token: Any) -> None:
    """It would read outside the embedding."""
    with pytest.raises(UsageError, match="vocabulary has 100") as caught:
        check_prompt([1, token], 100, 64)
    assert "0 to 99" in caught.value.hint


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"temperature": 11},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"top_p": math.nan},
        {"top_k": -1},
        {"top_k": 101},
        {"min_p": -0.1},
        {"min_p": math.nan},
        {"repetition_penalty": 0.0},
        {"repetition_penalty": math.inf},
        {"presence_penalty": 2.1},
        {"frequency_penalty": -2.1},
        {"seed": 2**64},
        {"seed": -(2**63) - 1},
        {"max_tokens": 0},
        {"max_tokens": -5},
        {"max_tokens": 2**31},
        {"max_tokens": True},
        {"top_logprobs": 21},
        {"top_logprobs": -1},
        {"logit_bias": {999999999: 1.0}},
        {"logit_bias": {-1: 1.0}},
        {"logit_bias": {3: math.nan}},
        {"logit_bias": {3: 101.0}},
        {"logit_bias": dict.fromkeys(range(1025), 0.0)},
        {"stop": ("",)},
        {"stop": ("x" * 1025,)},
        {"stop": ("x",) * 33},
        {"stop_token_ids": (100,)},
        {"stop_token_ids": (1,) * 129},
    ],
    ids=str,
)
def test_sampling_out_of_range_is_refused_by_name(wrong: dict[str, Any]) -> None:
    """The one who sent it must find what to change."""
    with pytest.raises(UsageError) as caught:
        check_sampling(Sampling(**wrong), 100, 64)
    name = next(iter(wrong))
    assert name in caught.value.message or name == "stop"
    assert caught.value.hint


def test_sampling_at_its_bounds_is_fine() -> None:
    """Zero is greedy, not missing."""
    check_sampling(
        Sampling(
            temperature=0,
            top_p=1e-9,
            top_k=100,
            min_p=1,
            repetition_penalty=10,
            presence_penalty=-2,
            frequency_penalty=2,
            logit_bias={0: -100, 99: 100},
            seed=0,
            max_tokens=10**6,
            stop=("\n",),
            stop_token_ids=(0, 99),
            top_logprobs=0,
        ),
        100,
        64,
    )


def test_sequences_are_checked_and_seeded_where_they_are_made() -> None:
    """A request without a seed must draw the same tokens again after preemption."""
    limits = Limits(vocabulary=100, context_window=64, end_token_ids=frozenset({2}))
    sequence = new_sequence("a", (1, 2), Sampling(stop_token_ids=(7,)), limits=limits, arrival=0, draw_seed=lambda: 41)
    assert sequence.sampling.seed == 41
    assert sequence.stop_tokens == {2, 7}
    assert (sequence.prompt, sequence.output) == ([1, 2], [])
    with pytest.raises(UsageError):
        new_sequence("a", [100], Sampling(), limits=limits, arrival=0, draw_seed=lambda: 1)
    with pytest.raises(UsageError):
        new_sequence("a", [1], Sampling(max_tokens=0), limits=limits, arrival=0, draw_seed=lambda: 1)


def test_a_given_seed_is_kept_and_end_tokens_can_be_ignored() -> None:
    """Seed 0 is a seed."""
    limits = Limits(vocabulary=100, context_window=64, end_token_ids=frozenset({2}))
    sampling = Sampling(seed=0, ignore_end=True, stop_token_ids=(7,))
    sequence = new_sequence("a", [1], sampling, limits=limits, arrival=0, draw_seed=lambda: 41)
    assert sequence.sampling.seed == 0
    assert sequence.stop_tokens == {7}
