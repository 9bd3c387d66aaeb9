"""Choosing tokens: each row by its own settings, whoever is beside it."""

import math
import random
from collections import Counter
from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest

from paddock.runner.choosing import Wish, chance
from paddock.runner.mlx.sampling import CANDIDATES, choose
from paddock.runner.sequences import begin_sequence
from paddock.vocabulary import Sampling

PLAIN = Sampling(temperature=1.0)
GREEDY = Sampling(temperature=0.0)
LOGITS = [2.0, 1.5, 1.0, 0.0, -1.0, -2.0, 0.5, -30.0]


def wish(sampling: Sampling, position: int = 0, seed: int = 1, **history: dict[int, int]) -> Wish:
    return Wish(sampling=sampling, seed=seed, position=position, **history)


def draw(sampling: Sampling, count: int, logits: list[float] = LOGITS) -> Counter[int]:
    """`count` tokens from the same logits, one position after the other, two hundred rows at a time."""
    rows = mx.array([logits] * 200)
    found: Counter[int] = Counter()
    for begin in range(0, count, 200):
        found.update(each.token for each in choose(rows, [wish(sampling, begin + row) for row in range(200)]))
    return found


def softmax(logits: list[float], temperature: float = 1.0) -> np.ndarray:
    scaled = np.array(logits, dtype=np.float64) / temperature
    weights = np.exp(scaled - scaled.max())
    return weights / weights.sum()


def chi_square(found: Counter[int], expected: np.ndarray) -> float:
    """Per degree of freedom; near 1 when the draws follow `expected`."""
    total = sum(found.values())
    cells = [index for index, share in enumerate(expected) if share * total > 5]
    return sum((found[index] - expected[index] * total) ** 2 / (expected[index] * total) for index in cells) / len(
        cells
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_distribution(temperature: float) -> None:
    """Sampling that is only nearly right is a bug that no example shows."""
    found = draw(replace(PLAIN, temperature=temperature), 8000)
    assert chi_square(found, softmax(LOGITS, temperature)) < 3
    assert found[7] == 0 or temperature > 1


def test_filtered_draws_follow_the_distribution_that_is_left() -> None:
    """Top-k first, then top-p over what is left, then min-p, as the reference implementations have it."""
    probabilities = softmax(LOGITS)
    found = draw(replace(PLAIN, top_k=3), 6000)
    assert set(found) == {0, 1, 2}
    kept = np.where(np.arange(8) < 3, probabilities, 0)
    assert chi_square(found, kept / kept.sum()) < 3

    found = draw(replace(PLAIN, top_p=0.6), 6000)
    assert set(found) == {0, 1}  # 0.41 is not enough, 0.66 is
    found = draw(replace(PLAIN, min_p=0.3), 6000)
    assert set(found) == {0, 1, 2}  # e^-1 = 0.37 of the best stays, e^-1.5 = 0.22 goes


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({"top_p": 0.0}, {0}),
        ({"top_p": 1e-9}, {0}),
        ({"top_p": 1.0}, set(range(7))),
        ({"top_k": 1}, {0}),
        ({"top_k": 100}, set(range(7))),
        ({"min_p": 1.0}, {0}),
        ({"temperature": 1e-6}, {0}),
    ],
)
def test_filters_at_their_edges_keep_at_least_the_best(settings: dict[str, float], allowed: set[int]) -> None:
    """0 and 1 are settings that clients send."""
    found = draw(replace(PLAIN, **settings), 1000)  # type: ignore[arg-type]
    assert set(found) <= allowed
    assert found[0] > 0


@pytest.mark.parametrize("temperature", [5e-324, 1e-45, 1e-38, 1.0])
@pytest.mark.parametrize("penalty", [5e-324, 1e-45, 1e-38, 1.0])
@pytest.mark.parametrize("filters", [{}, {"top_p": 1e-9}, {"top_k": 5000}, {"min_p": 1.0}])
def test_settings_too_small_for_a_float_choose_a_token_that_exists(
    temperature: float, penalty: float, filters: dict[str, float]
) -> None:
    """They became zero, the numbers divided by them none, and the token one that no vocabulary has: the process ended."""
    logits = [10.0 * math.sin(number) for number in range(6000)]
    sampling = Sampling(temperature=temperature, repetition_penalty=penalty, **filters)
    (choice,) = choose(mx.array([logits]), [wish(sampling, seen={1: 1, 2: 2, 7: 1}, written={2: 1})])
    assert 0 <= choice.token < len(logits)
    assert not choice.broken
    if temperature < 1 and penalty == 1:
        assert choice.token == max(range(len(logits)), key=logits.__getitem__)


def test_a_flat_distribution_needs_more_than_the_candidates() -> None:
    """The short cut of sorting only the likeliest must not change what can come out."""
    size = CANDIDATES * 4
    generator = random.Random(3)
    logits = [generator.gauss(0, 0.1) for _ in range(size)]
    found = draw(replace(PLAIN, top_p=0.95), 4000, logits)
    ranks = {token: rank for rank, token in enumerate(sorted(range(size), key=lambda token: -logits[token]))}
    deepest = max(ranks[token] for token in found)
    assert CANDIDATES < deepest < size * 0.97
    few = draw(replace(PLAIN, top_k=CANDIDATES + 5), 2000, logits)
    assert max(ranks[token] for token in few) < CANDIDATES + 5


def test_greedy_rows_stay_greedy_beside_hot_ones() -> None:
    """The peer's batches share one setting: a greedy request turns the others greedy."""
    hot = Sampling(temperature=1.5, top_p=0.95)
    rows = mx.random.normal((12, 50), key=mx.random.key(5))
    for step in range(20):
        wishes = [wish(GREEDY if row % 3 else (hot if row % 2 else PLAIN), step, seed=row) for row in range(12)]
        choices = choose(rows, wishes)
        best = mx.argmax(rows, axis=-1).tolist()
        assert all(choices[row].token == best[row] for row in range(12) if row % 3)  # type: ignore[index]
    alone = choose(rows[:1], [wish(PLAIN, 3, seed=0)])[0]
    assert alone.token == choose(rows, [wish(PLAIN, 3, seed=row) for row in range(12)])[0].token


@pytest.mark.parametrize("sampling", [PLAIN, replace(PLAIN, top_p=0.8), replace(PLAIN, top_k=5, min_p=0.01)])
def test_a_seeded_row_draws_the_same_alone_and_in_a_crowd(sampling: Sampling) -> None:
    """A seed is a promise that does not depend on who else is there."""
    rows = mx.random.normal((16, 300), key=mx.random.key(9))
    crowd = choose(rows, [wish(sampling if row == 7 else replace(PLAIN, top_k=row), 40, seed=77) for row in range(16)])
    assert choose(rows[7:8], [wish(sampling, 40, seed=77)])[0].token == crowd[7].token


def test_chance_is_even_and_depends_on_seed_and_position_only() -> None:
    """One number a token stands for all of the randomness."""
    numbers = [chance(seed, position) for seed in range(50) for position in range(100)]
    assert all(0 <= number < 1 for number in numbers)
    assert abs(sum(numbers) / len(numbers) - 0.5) < 0.02
    assert len(set(numbers)) == len(numbers)
    assert chance(2**63, 5) == chance(2**63, 5) != chance(-1, 5)


def test_penalties_act_on_the_tokens_they_are_about() -> None:
    """Repetition: prompt and output. Presence and frequency: what was written."""
    logits = mx.array([[1.0, 0.9, -1.0, 0.0]])

    def best(sampling: Sampling, seen: dict[int, int], written: dict[int, int]) -> int:
        return choose(logits, [wish(sampling, seen=seen, written=written)])[0].token

    assert best(replace(GREEDY, repetition_penalty=1.2), {0: 1}, {}) == 1
    assert best(replace(GREEDY, presence_penalty=0.2), {0: 1}, {}) == 0
    assert best(replace(GREEDY, presence_penalty=0.2), {0: 1}, {0: 1}) == 1
    assert best(replace(GREEDY, frequency_penalty=0.04), {0: 2}, {0: 2}) == 0
    assert best(replace(GREEDY, frequency_penalty=0.04), {0: 3}, {0: 3}) == 1
    # A penalty above one lowers a negative logit too: it is multiplied, not divided.
    negative = mx.array([[-1.0, -1.1]])
    assert choose(negative, [wish(replace(GREEDY, repetition_penalty=1.5), seen={0: 1})])[0].token == 1


def test_a_bias_forbids_and_forces() -> None:
    """-100 and 100 are what clients send to say never and always."""
    logits = mx.array([[5.0, 1.0, 0.0], [5.0, 1.0, 0.0]])
    never = replace(GREEDY, logit_bias={0: -100.0})
    always = replace(PLAIN, logit_bias={2: 100.0})
    assert [choice.token for choice in choose(logits, [wish(never), wish(always)])] == [1, 2]
    assert logits.tolist() == [[5.0, 1.0, 0.0], [5.0, 1.0, 0.0]]


def test_logprobs_are_the_models_own() -> None:
    """Against float64, of the untouched distribution, for those who asked and nobody else."""
    rows = mx.random.normal((3, 100), key=mx.random.key(2)) * 4
    asking = replace(PLAIN, top_logprobs=3, temperature=0.3, logit_bias={5: 3.0})
    nothing, some, chosen_only = choose(rows, [wish(GREEDY), wish(asking), wish(replace(GREEDY, top_logprobs=0))])
    exact = np.array(rows[1].tolist(), dtype=np.float64)
    exact = exact - exact.max() - math.log(np.exp(exact - exact.max()).sum())
    assert nothing.logprobs == ()
    assert some.logprobs[0].token_id == some.token
    assert [entry.token_id for entry in some.logprobs[1:]] == np.argsort(-exact)[:3].tolist()
    assert all(abs(entry.logprob - exact[entry.token_id]) < 1e-5 for entry in some.logprobs)
    assert len(chosen_only.logprobs) == 1


def test_a_row_that_is_no_number_is_told_and_harms_nobody() -> None:
    """One poisoned request must not take the others with it."""
    logits = mx.array([[1.0, 2.0], [float("nan"), 2.0], [float("inf"), 1.0], [3.0, 1.0]])
    choices = choose(logits, [wish(sampling) for sampling in (GREEDY, GREEDY, PLAIN, PLAIN)])
    assert [choice.broken for choice in choices] == [False, True, True, False]
    assert choices[0].token == 1


def test_history_goes_on_after_preemption_where_it_was() -> None:
    """A sequence that begins again knows which of its tokens it wrote itself."""
    sampling = replace(GREEDY, frequency_penalty=1.0)
    first = begin_sequence("a", [5, 6], sampling, prompt_tokens=None, vocabulary=10)
    first.wrote([7, 7])
    again = begin_sequence("a", [5, 6, 7, 7], sampling, prompt_tokens=2, vocabulary=10)
    assert first.wishes(4, [])[0].written == again.wishes(4, [])[0].written == {7: 2}
    assert first.wishes(4, [7, 8])[2].written == {7: 3, 8: 1}
