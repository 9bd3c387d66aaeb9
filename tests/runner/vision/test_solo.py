"""Models whose language part cannot page see all the same, each sequence with a cache of its own: mlx-vlm's own answers."""

from collections.abc import Iterator

import pytest

from tests.runner.vision.architectures import SOLO
from tests.runner.vision.bench import ANSWER, BEHIND, ONE, OTHER, SAMPLING, TURNS, WORDS, Bench, benches


@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in SOLO])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    yield from benches(request.param, tmp_path_factory.mktemp("models"))


def test_the_model_sees_and_does_not_page(bench: Bench) -> None:
    """One that began to page would belong into the other matrix."""
    assert bench.opened.sight is not None
    assert not bench.executor.model.pages


def test_prompts_are_those_that_mlx_vlm_makes(bench: Bench) -> None:
    for conversation in (ONE, BEHIND, TURNS, *WORDS):
        assert list(bench.prompt(conversation).tokens) == bench.reference.prompt(conversation)


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
    """With and without pictures, in turns: what one was shown changes nothing for those without."""
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
