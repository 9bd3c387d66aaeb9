"""Greedy answers about pictures are mlx-vlm's own, whatever else goes on: each architecture, each situation, every cell.

    alone · in chunks · beside seven others with and without pictures · from a cached prefix · after preemption · in turns

A position may differ only where the two best tokens are as good as equal; such positions are counted and printed.
"""

from collections.abc import Iterator

import pytest

from paddock.runner.mlx.making import BLOCK_TOKENS
from paddock.vocabulary import Priority
from tests.runner.vision.architectures import TINY
from tests.runner.vision.bench import ANSWER, BEHIND, ONE, OTHER, SAMPLING, TURNS, WORDS, Bench, benches


@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in TINY])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    yield from benches(request.param, tmp_path_factory.mktemp("models"))


def test_the_model_sees_and_pages(bench: Bench) -> None:
    """An architecture that stops paging, or seeing, unnoticed would pass every other test here."""
    assert bench.opened.sight is not None
    assert bench.executor.model.pages


def test_prompts_are_those_that_mlx_vlm_makes(bench: Bench) -> None:
    """Token by token, the picture's own included, whatever stands around it."""
    for conversation in (ONE, BEHIND, TURNS, *WORDS):
        prompt = bench.prompt(conversation)
        assert list(prompt.tokens) == bench.reference.prompt(conversation)
        assert len(prompt.looks) == sum(len(message.images) for message in conversation)


def test_the_models_look(bench: Bench) -> None:
    """A model that answers the same whatever it is shown would agree with anything."""
    answers = [bench.reference.tokens(conversation, ANSWER) for conversation in (ONE, OTHER, BEHIND, TURNS)]
    assert len({tuple(answer) for answer in answers}) == len(answers)


@pytest.mark.parametrize("prefill", [512, 24])
def test_alone(bench: Bench, prefill: int) -> None:
    """In one piece, and in chunks that begin and end within a picture."""
    for conversation in (ONE, BEHIND, TURNS):
        answer = bench.driver(prefill=prefill).ask(bench.prompt(conversation), SAMPLING)
        bench.check(conversation, answer.tokens)


def test_beside_seven_others(bench: Bench) -> None:
    """With and without pictures, one after the other: a text after a picture, and beside one, is what it is alone."""
    driver = bench.driver(prefill=40)
    conversations = (ONE, WORDS[0], BEHIND, WORDS[1], TURNS, WORDS[2], OTHER, WORDS[3])
    names: list[str] = []
    for conversation in conversations:
        names.append(driver.submit(bench.prompt(conversation), SAMPLING))
        driver.step()
        driver.step()
    driver.finish()
    for name, conversation in zip(names, conversations, strict=True):
        bench.check(conversation, driver.answers[name].tokens)


def test_from_a_cached_prefix(bench: Bench) -> None:
    """The same picture is found again; another one under the same words is not, though all of its tokens are the same."""
    driver = bench.driver(prefill=40)
    first = driver.ask(bench.prompt(ONE), SAMPLING)
    prompt, other = bench.prompt(ONE), bench.prompt(OTHER)
    assert list(prompt.tokens) == list(other.tokens)
    before = prompt.looks[0].places[0]
    again = driver.ask(prompt, SAMPLING)
    unlike = driver.ask(other, SAMPLING)
    assert again.cached_tokens > prompt.looks[0].places[-1]
    assert unlike.cached_tokens <= before
    for conversation, answer in ((ONE, first), (ONE, again), (OTHER, unlike)):
        bench.check(conversation, answer.tokens)


def test_a_conversation_goes_on_from_its_own_prefix(bench: Bench) -> None:
    """A second picture in a later turn leaves what was said about the first where it is."""
    driver = bench.driver()
    driver.ask(bench.prompt(TURNS[:3]), SAMPLING)
    answer = driver.ask(bench.prompt(TURNS), SAMPLING)
    assert answer.cached_tokens >= 32
    bench.check(TURNS, answer.tokens)


def test_after_preemption(bench: Bench) -> None:
    """Too little room for all, and more urgent ones come later: pictures are put into place again, not looked at again."""
    conversations = (ONE, BEHIND, WORDS[2], OTHER)
    prompts = [bench.prompt(conversation) for conversation in conversations]
    # Two prompts fit, and no answer with them.
    blocks = sum(-(-len(prompt.tokens) // BLOCK_TOKENS) for prompt in prompts[:2])
    driver = bench.driver(blocks=blocks, batch_max=3, prefill=512)
    names: list[str] = []
    for index, prompt in enumerate(prompts):
        priority = Priority.LOW if index < 2 else Priority.HIGH
        names.append(driver.submit(prompt, SAMPLING, priority=priority))
        for _ in range(6):
            driver.step()
    driver.finish()
    assert driver.scheduler.stats().preemptions > 0
    for name, conversation in zip(names, conversations, strict=True):
        bench.check(conversation, driver.answers[name].tokens)
