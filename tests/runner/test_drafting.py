"""Guessing ahead with the real models: pony answers the same with foal's guesses as without, in fewer steps."""

import asyncio
import json
import os
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
SOAK = bool(os.environ.get("PADDOCK_SOAK"))
PROMPTS = (
    "Tell me a story about a horse.",
    "Repeat after me: the red fox sees the blue boat",
    "Give me JSON with name and age: Ada is 36.",
    "What is 3 plus 4?",
    "Hello!",
    *(
        (
            "Who are you?",
            "How do I pull a model?",
            "What is the capital of France?",
            "Count from 1 to 12.",
            "Write a Python function that adds two numbers.",
            "What is the opposite of hot?",
            "List the days of the week.",
            "Reverse this list: apple, pear, plum",
        )
        if SOAK
        else ()
    ),
)
ALONE = len(PROMPTS) if SOAK else 3  # so many are also asked one after the other
TOKENS = 80 if SOAK else 40


def spec(**more: Any) -> RunnerSpec:
    return RunnerSpec(name="pony", path=PONY, format=ModelFormat.MLX, **more)


def ask(prompt: str, **sampling: Any) -> GenerateRequest:
    settings: dict[str, Any] = {"temperature": 0.0, "max_tokens": TOKENS, **sampling}
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


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """What pony says without guesses, by sampling and prompt; asked once."""
    return {}


async def without_guesses(fleet: SubprocessFleet, said: dict[str, str], requests: list[GenerateRequest]) -> list[str]:
    keys = [repr((request.sampling, request.id)) for request in requests]
    if keys[0] not in said:
        plain = await fleet.start(spec())
        answers = await asyncio.gather(*(answer(plain, request) for request in requests))
        said.update(zip(keys, (text for text, _ in answers), strict=True))
    return [said[key] for key in keys]


@pytest.mark.parametrize(
    "guessing",
    [{"draft_path": FOAL}, {"ngram_speculation": True}, {"draft_path": FOAL, "ngram_speculation": True}],
    ids=["draft", "ngrams", "both"],
)
async def test_guesses_change_how_fast_an_answer_comes_and_never_what_it_says(
    fleet: SubprocessFleet, guessing: dict[str, Any], said: dict[str, str]
) -> None:
    """The promise of speculation: greedy or drawn with a seed, alone or several at once."""
    guessed = await fleet.start(spec(**guessing))
    drafted = accepted = 0
    for sampling in ({}, {"temperature": 0.8, "seed": 11}):
        requests = [ask(prompt, **sampling) for prompt in PROMPTS]
        wanted = await without_guesses(fleet, said, requests)
        assert len(set(wanted)) == len(PROMPTS)
        for request, text in zip(requests[:ALONE], wanted, strict=False):
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
    request = ask(f"{'The horse eats grass. ' * 110}Tell me a story about a horse.", ignore_end=True)
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
