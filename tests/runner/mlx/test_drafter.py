"""A draft model beside the large one: the same text, in fewer steps."""

from dataclasses import replace
from pathlib import Path

import pytest

from paddock.engine.speculation import DraftWish
from paddock.errors import Incompatible
from paddock.runner.mlx.drafter import CATCH_UP_TOKENS, MlxDrafter
from paddock.runner.mlx.making import make_drafter, make_executor
from paddock.runner.mlx.opening import open_model
from paddock.runner.opening import LoadOptions
from paddock.vocabulary import Message, ModelFormat
from tests.exactness.architectures import load, make_folder
from tests.exactness.driving import GREEDY, Driver

BUILTIN = Path(__file__).parents[3] / "src/paddock/builtin_models"
QUESTIONS = ["What is 3 plus 4?", "Tell me a story.", "How do I pull a model?", "Who are you?"]


def test_foal_drafts_for_pony_and_the_text_stays_the_same() -> None:
    """The whole point: fewer steps for the same answer, with a batch in flight and the prompts of a chat."""
    opened = open_model(
        LoadOptions(name="pony", path=str(BUILTIN / "pony"), format=ModelFormat.MLX, draft_path=str(BUILTIN / "foal"))
    )
    sampling = replace(GREEDY, ignore_end=False, max_tokens=80)
    prompts = [opened.tokenizer.render([Message(role="user", content=text)], {}) for text in QUESTIONS]
    plain = Driver(opened.executor)  # type: ignore[arg-type]
    names = [plain.submit(prompt, sampling) for prompt in prompts]
    plain.finish()
    guessed = Driver(opened.executor, drafter=opened.drafter)  # type: ignore[arg-type]
    for prompt in prompts:
        guessed.submit(prompt, sampling)
    guessed.finish()
    assert [plain.answers[name].tokens for name in names] == [guessed.answers[name].tokens for name in names]
    stats = guessed.scheduler.stats()
    assert stats.accepted_tokens > 0.6 * stats.drafted_tokens
    assert stats.steps < 0.6 * plain.scheduler.stats().steps
    opened.executor.close()


@pytest.fixture
def drafter(tmp_path: Path) -> MlxDrafter:
    return make_drafter(load(make_folder("llama", tmp_path / "large")), load(make_folder("llama", tmp_path / "small")))[
        0
    ]


def test_guesses_are_what_the_draft_model_would_say(drafter: MlxDrafter, tmp_path: Path) -> None:
    """Wrong guesses of the last step, which it has fed itself, must leave no trace in the next."""
    executor = make_executor(load(make_folder("llama", tmp_path / "again")))
    tokens = list(range(5, 60))
    first = drafter.propose([DraftWish("a", tokens, 4)])[0]
    assert list(first) == Driver(executor).ask(tokens, replace(GREEDY, max_tokens=4)).tokens
    tokens = [*tokens, first[0], 250, 251]  # the large model took one guess and went another way
    wishes = [DraftWish("a", tokens, 3), DraftWish("b", tokens[:20], 2)]
    second, other = drafter.propose(wishes)
    assert list(second) == Driver(executor).ask(tokens, replace(GREEDY, max_tokens=3)).tokens
    assert list(other) == Driver(executor).ask(tokens[:20], replace(GREEDY, max_tokens=2)).tokens


def test_a_long_prompt_is_read_in_steps_and_guessed_on_afterwards(drafter: MlxDrafter) -> None:
    """Reading it at once would hold up everybody's tokens."""
    tokens = [number % 300 for number in range(CATCH_UP_TOKENS + 50)]
    assert drafter.propose([DraftWish("a", tokens, 4)]) == [()]
    assert len(drafter.propose([DraftWish("a", tokens, 4)])[0]) == 4


def test_there_is_no_guess_where_there_is_no_room_and_blocks_come_back(drafter: MlxDrafter) -> None:
    """A draft model must never be the reason that a request fails."""
    free = len(drafter._free)  # pyright: ignore[reportPrivateUsage]
    assert drafter.propose([DraftWish("a", [3] * 511, 4), DraftWish("b", [3, 9999], 2)]) == [(), ()]
    drafter.propose([DraftWish("c", [3] * 100, 4)])
    for name in ("a", "b", "c", "unknown"):
        drafter.forget(name)
    assert len(drafter._free) == free  # pyright: ignore[reportPrivateUsage]


def test_a_model_that_cannot_be_wound_back_cannot_draft(tmp_path: Path) -> None:
    """Recurrent state cannot forget a wrong guess."""
    with pytest.raises(Incompatible, match="mamba2"):
        make_drafter(load(make_folder("llama", tmp_path / "large")), load(make_folder("mamba2", tmp_path / "mamba2")))
