"""Guessing ahead with the real models: pony answers the same with foal's guesses as without, in fewer steps."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from paddock.app import BUILTIN_MODELS
from paddock.errors import Corrupt, Incompatible, PaddockError, UsageError
from paddock.fleet.fleet import Runner, RunnerSpec
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.vocabulary import GenerateRequest, Message, ModelFormat, Sampling, Usage

PONY, FOAL = str(BUILTIN_MODELS / "pony"), str(BUILTIN_MODELS / "foal")
PROMPTS = (
    "What is 3 plus 4?",
    "Hello!",
    "Who are you?",
    "Tell me a story about a horse.",
    "How do I pull a model?",
    "What is the capital of France?",
    "Count from 1 to 12.",
    "Repeat after me: the red fox sees the blue boat",
    "Give me JSON with name and age: Ada is 36.",
    "Write a Python function that adds two numbers.",
    "What is the opposite of hot?",
    "List the days of the week.",
    "Reverse this list: apple, pear, plum",
)


def spec(**more: Any) -> RunnerSpec:
    return RunnerSpec(name="pony", path=PONY, format=ModelFormat.MLX, **more)


def ask(prompt: str, **sampling: Any) -> GenerateRequest:
    settings: dict[str, Any] = {"temperature": 0.0, "max_tokens": 80, **sampling}
    return GenerateRequest(id=prompt, messages=(Message(role="user", content=prompt),), sampling=Sampling(**settings))


async def answer(runner: Runner, request: GenerateRequest) -> tuple[str, Usage]:
    text, usage = "", Usage()
    async with aclosing(runner.generate(request)) as events:
        async for event in events:
            text += event.text
            usage = event.usage or usage
    return text, usage


@pytest.fixture
async def fleet() -> AsyncIterator[SubprocessFleet]:
    fleet = SubprocessFleet()
    yield fleet
    await fleet.close()


@pytest.mark.parametrize(
    "guessing",
    [{"draft_path": FOAL}, {"ngram_speculation": True}, {"draft_path": FOAL, "ngram_speculation": True}],
    ids=["draft", "ngrams", "both"],
)
async def test_guesses_change_how_fast_an_answer_comes_and_never_what_it_says(
    fleet: SubprocessFleet, guessing: dict[str, Any]
) -> None:
    """The promise of speculation: greedy or drawn with a seed, alone or eight at once."""
    plain, guessed = await asyncio.gather(fleet.start(spec()), fleet.start(spec(**guessing)))
    drafted = accepted = 0
    for sampling in ({}, {"temperature": 0.8, "seed": 11}):
        requests = [ask(prompt, **sampling) for prompt in PROMPTS]
        wanted = [(await answer(plain, request))[0] for request in requests]
        assert len(set(wanted)) == len(PROMPTS)
        for request, text in zip(requests, wanted, strict=True):
            got, usage = await answer(guessed, request)
            assert got == text
            drafted += usage.drafted_tokens
            accepted += usage.accepted_tokens
        together = await asyncio.gather(*(answer(guessed, request) for request in requests[:8]))
        assert [text for text, _ in together] == wanted[:8]
    assert 0 < accepted <= drafted
    if "draft_path" in guessing:
        assert accepted > 0.6 * drafted, f"{accepted} of {drafted} guesses kept"


async def test_a_long_prompt_is_read_by_the_draft_too(fleet: SubprocessFleet) -> None:
    """The draft reads a prompt in pieces; until it is through there are no guesses, and then there are."""
    plain, guessed = await asyncio.gather(fleet.start(spec()), fleet.start(spec(draft_path=FOAL)))
    request = ask(f"{'The horse eats grass. ' * 150}Tell me a story about a horse.", ignore_end=True)
    text, usage = await answer(guessed, request)
    assert usage.prompt_tokens > 512
    assert usage.drafted_tokens > 0
    assert text == (await answer(plain, request))[0]


async def refusal(fleet: SubprocessFleet, **more: Any) -> PaddockError:
    with pytest.raises(PaddockError) as caught:
        await fleet.start(spec(**more))
    return caught.value


async def test_a_draft_of_another_vocabulary_is_refused_with_both_names(fleet: SubprocessFleet, tmp_path: Path) -> None:
    """Its guesses would be numbers that mean something else to the model: never right, and nobody would know why."""
    folder = tmp_path / "mule"
    shutil.copytree(FOAL, folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    words: dict[str, int] = tokenizer["model"]["vocab"]
    last = max(words.values())
    specials = {token["id"] for token in tokenizer["added_tokens"]}
    turned = sorted(number for number in words.values() if number not in specials and 500 < number <= last)
    back = dict(zip(turned, reversed(turned), strict=True))
    tokenizer["model"]["vocab"] = {word: back.get(number, number) for word, number in words.items()}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    error = await refusal(fleet, draft_path=str(folder))
    assert isinstance(error, UsageError)
    assert "`mule` cannot draft for `pony`" in error.message


async def test_a_draft_that_is_missing_or_broken_says_so_by_its_name(fleet: SubprocessFleet, tmp_path: Path) -> None:
    """It is found out while the model loads, not by the first request."""
    missing = await refusal(fleet, draft_path=str(tmp_path / "nowhere"), draft_name="org/small")
    assert isinstance(missing, Incompatible)
    assert "`org/small` is not a folder" in missing.message

    folder = tmp_path / "lame"
    shutil.copytree(FOAL, folder)
    weights = folder / "model.safetensors"
    data = weights.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    weights.write_bytes(data[:header] + b"\xff" * (len(data) - header))  # as bfloat16: NaN
    error = await refusal(fleet, draft_path=str(folder))
    assert isinstance(error, Corrupt)
    assert "`lame`" in error.message
    assert "draft" in error.message

    weights.write_bytes(data[: len(data) // 2])
    error = await refusal(fleet, draft_path=str(folder), draft_name="org/lame")
    assert isinstance(error, Corrupt)
    assert "`org/lame` cannot draft for `pony`" in error.message
