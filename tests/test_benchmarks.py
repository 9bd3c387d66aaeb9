"""What benchmarks stand on: a model that can be loaded anywhere, the same questions every time, honest results."""

from pathlib import Path

import pytest
from benchmarks.engine import Contestant, asks, markdown, paddock_rounds
from benchmarks.measure import Result
from benchmarks.models import qwen3
from benchmarks.peers import Round

SMALL = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "intermediate_size": 96,
}


@pytest.mark.asyncio
async def test_the_made_model_answers_to_the_last_token(tmp_path: Path) -> None:
    """An answer that ends early would do less work than the others that it is compared with."""
    model = qwen3("small", SMALL, cache=tmp_path)
    asked = asks(1, 3)
    (came,) = await paddock_rounds(model, [asked])
    assert came.completion_tokens == sum(ask.tokens for ask in asked)
    assert 150 <= came.prompt_tokens / len(asked) <= 210
    assert qwen3("small", SMALL, cache=tmp_path) == model


def test_rounds_ask_the_same_of_everybody_and_never_twice() -> None:
    """The same, to be fair; never twice, because a prefix that is found again is not what is measured."""
    assert asks(7, 4) == asks(7, 4)
    assert not set(asks(7, 4)) & set(asks(8, 4))


def test_ratios_are_of_medians() -> None:
    ours = Contestant("ours", lambda plan: [Round(0, 100, 1.0)] * len(plan))
    theirs = Contestant("theirs", lambda plan: [Round(0, 50, 1.0)] * len(plan), rounds=1)
    for number in range(2):
        ours.play(number)
        theirs.play(number)
    assert len(ours.speeds[16]) == 2
    assert len(theirs.speeds[16]) == 1
    assert "| theirs | 50.0 (2.00 ×) | 50.0 (2.00 ×) |" in markdown([ours, theirs])


def test_a_promise_that_is_missed_says_so() -> None:
    assert str(Result("speed", 1.5, "×", 2, at_least=True)).startswith("MISSED")
