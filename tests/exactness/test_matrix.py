"""Greedy answers are mlx-lm's own, whatever else goes on: each architecture, each situation, every cell.

    alone · in a batch of eight that arrive one after the other · after preemption · from a cached prefix · with guesses

A position may differ only where the two best tokens are as good as equal; such positions are counted and printed.
"""

import gc
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from paddock.engine.speculation import DraftWish, FirstThen, NgramDrafter
from paddock.runner.mlx.executor import MlxExecutor
from paddock.runner.mlx.making import make_executor
from paddock.runner.mlx.tokenizer import load_tokenizer
from paddock.vocabulary import Priority
from tests.exactness.architectures import CONFIGS, VOCABULARY, load, make_folder
from tests.exactness.driving import GREEDY, Driver
from tests.exactness.reference import Reference

PONY = Path(__file__).parents[2] / "src/paddock/builtin_models/pony"
SOLO = {"gemma2", "deepseek_v3", "mamba2", "qwen3_next"}
PONY_TEXT = load_tokenizer(PONY, "pony", ()).encode((PONY / "README.md").read_text())
ANSWER = 20
SAMPLING = replace(GREEDY, max_tokens=ANSWER)
LENGTHS = (1, 2, 5, 31, 32, 33, 64, 97)


@dataclass
class Bench:
    """One architecture on the table."""

    name: str
    executor: MlxExecutor
    reference: Reference
    prompts: list[list[int]]

    def check(self, prompt: Sequence[int], answer: Sequence[int]) -> None:
        assert len(answer) == ANSWER
        self.reference.check(prompt, answer, self.name)


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in (*CONFIGS, "pony")]
)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    name: str = request.param
    folder = PONY if name == "pony" else make_folder(name, tmp_path_factory.mktemp("models") / name)
    executor = make_executor(load(folder), blocks=400)
    chance = random.Random(name)
    prompts = [[chance.randrange(3, VOCABULARY) for _ in range(length)] for length in LENGTHS]
    if name == "pony":  # it has learnt to answer noise with one sentence
        prompts = [[*PONY_TEXT[40 : 40 + length - 1], chance.randrange(200, 4000)] for length in LENGTHS]
    reference = Reference(folder)
    yield Bench(name, executor, reference, prompts)
    executor.close()
    ties = reference.ties
    print(f"\nties {name}: {ties.tied} of {ties.compared} tokens")
    gc.collect()


def test_each_architecture_takes_the_lane_that_it_was_proven_in(bench: Bench) -> None:
    """An architecture that pages by accident, or stops paging unnoticed, is a bug either way."""
    assert bench.executor.model.pages == (bench.name not in SOLO)


def test_the_models_make_up_their_minds_and_read_their_prompts(bench: Bench) -> None:
    """A model that always says the same, or forgets all but the last token, would agree with anything."""
    answers = [bench.reference.tokens(prompt, ANSWER) for prompt in bench.prompts]
    assert len({tuple(answer) for answer in answers}) == len(answers)
    assert len({token for answer in answers for token in answer}) > 20
    longest = bench.prompts[-1]
    changed = [*longest[:-20], *reversed(longest[-20:-1]), longest[-1]]
    assert bench.reference.tokens(changed, ANSWER) != bench.reference.tokens(longest, ANSWER)


def test_alone(bench: Bench) -> None:
    """One request at a time, its prompt in several chunks."""
    for prompt in bench.prompts:
        answer = Driver(bench.executor).ask(prompt, SAMPLING)
        bench.check(prompt, answer.tokens)


def test_eight_that_arrive_one_after_the_other(bench: Bench) -> None:
    """Prompts of one to a hundred tokens, prefilled beside those that already answer."""
    driver = Driver(bench.executor)
    names: list[str] = []
    for prompt in bench.prompts:
        names.append(driver.submit(prompt, SAMPLING))
        driver.step()
        driver.step()
    driver.finish()
    for name, prompt in zip(names, bench.prompts, strict=True):
        bench.check(prompt, driver.answers[name].tokens)


def test_after_preemption(bench: Bench) -> None:
    """Too little room for all, and more urgent ones come later: some give way half way through and are computed again."""
    driver = Driver(bench.executor, blocks=5, batch_max=3)
    names: list[str] = []
    for index, prompt in enumerate(bench.prompts[2:]):
        names.append(driver.submit(prompt, SAMPLING, priority=Priority.LOW if index < 3 else Priority.HIGH))
        for _ in range(8):
            driver.step()
    driver.finish()
    assert driver.scheduler.stats().preemptions > 0
    for name, prompt in zip(names, bench.prompts[2:], strict=True):
        bench.check(prompt, driver.answers[name].tokens)


def test_from_a_cached_prefix(bench: Bench) -> None:
    """The same prompt again, whole (which kills the peer), cut, and with another ending; while the first runs and after."""
    driver = Driver(bench.executor)
    prompt = bench.prompts[-1]
    variants = [prompt, prompt, prompt[:40], [*prompt[:70], 7, 8, 9], prompt[:64], prompt]
    first = driver.submit(variants[0], SAMPLING)
    while not driver.answers[first].tokens:
        driver.step()
    names = [driver.submit(variant, SAMPLING) for variant in variants[1:4]]
    driver.finish()
    names = [first, *names, *(driver.submit(variant, SAMPLING) for variant in variants[4:])]
    driver.finish()
    for name, variant in zip(names, variants, strict=True):
        bench.check(variant, driver.answers[name].tokens)
    if bench.executor.model.pages:
        assert all(driver.answers[name].cached_tokens >= 32 for name in names[1:])


class Oracle:
    """Guesses what it has been told, with a wrong one now and then."""

    def __init__(self, known: Sequence[tuple[Sequence[int], Sequence[int]]], wrong_every: int) -> None:
        self._known = [[*prompt, *answer] for prompt, answer in known]
        self._wrong_every = wrong_every

    def propose(self, wishes: Sequence[DraftWish]) -> list[tuple[int, ...]]:
        return [self._guess(wish) for wish in wishes]

    def forget(self, sequence_id: str) -> None:
        pass

    def _guess(self, wish: DraftWish) -> tuple[int, ...]:
        length = len(wish.tokens)
        for text in self._known:
            if text[:length] == list(wish.tokens):
                return tuple(
                    (token + 1) % VOCABULARY if (length + index) % self._wrong_every == 0 else token
                    for index, token in enumerate(text[length : length + wish.count])
                )
        return tuple(range(3, 3 + wish.count))


@pytest.mark.parametrize("wrong_every", [1, 3, 1000])
def test_with_guesses(bench: Bench, wrong_every: int) -> None:
    """All wrong, some wrong, all right: a guess changes when a token is computed, never which."""
    known = [(prompt, bench.reference.tokens(prompt, ANSWER)) for prompt in bench.prompts]
    driver = Driver(bench.executor, drafter=Oracle(known, wrong_every))
    names = [driver.submit(prompt, SAMPLING) for prompt in bench.prompts]
    driver.finish()
    for name, prompt in zip(names, bench.prompts, strict=True):
        bench.check(prompt, driver.answers[name].tokens)
    if bench.executor.model.pages and wrong_every > 1:
        assert sum(driver.answers[name].accepted_tokens for name in names) > 20


def test_with_guesses_of_two(bench: Bench) -> None:
    """N-grams where they have an idea, a draft elsewhere: who guessed must not show."""
    known = [(prompt, bench.reference.tokens(prompt, ANSWER)) for prompt in bench.prompts]
    driver = Driver(bench.executor, drafter=FirstThen(NgramDrafter(), Oracle(known, 3)))
    names = [driver.submit(prompt, SAMPLING) for prompt in bench.prompts]
    driver.finish()
    for name, prompt in zip(names, bench.prompts, strict=True):
        bench.check(prompt, driver.answers[name].tokens)
