"""Thoughts with a budget and calls one at a time, through the real model's runner."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest

from paddock.app import BUILTIN_MODELS
from paddock.fleet.fleet import Runner, RunnerSpec
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.runner.mlx.tokenizer import load_tokenizer
from paddock.vocabulary import FinishReason, GenerateRequest, Message, ModelFormat, Sampling, Thinking

PONY = BUILTIN_MODELS / "pony"
QUESTION = (Message(role="user", content="What is 3 plus 4?"),)
BUDGET = 3


@dataclass(frozen=True, slots=True)
class _Answer:
    text: str
    reasoning: str
    tokens: tuple[int, ...]
    logprobs: int
    reason: FinishReason | None


@pytest.fixture
async def fleet() -> AsyncIterator[SubprocessFleet]:
    fleet = SubprocessFleet()
    yield fleet
    await fleet.close()


async def answer(runner: Runner, request: GenerateRequest) -> _Answer:
    async with aclosing(runner.generate(request)) as stream:
        events = [event async for event in stream]
    return _Answer(
        "".join(event.text for event in events),
        "".join(event.reasoning for event in events),
        tuple(token for event in events for token in event.token_ids),
        sum(len(event.logprobs) for event in events),
        events[-1].finish_reason,
    )


def ask(name: str, budget: int | None) -> GenerateRequest:
    return GenerateRequest(
        id=name,
        messages=QUESTION,
        sampling=Sampling(temperature=0.0, max_tokens=24, ignore_end=True, top_logprobs=0),
        thinking=Thinking(enabled=True, budget_tokens=budget),
    )


@pytest.mark.parametrize("guesses", [False, True])
async def test_a_thought_ends_at_its_budget_and_the_answer_follows_from_it(
    fleet: SubprocessFleet, guesses: bool
) -> None:
    """What comes after is what the model says when it reads its thought, ended there: with guesses as without."""
    spec = RunnerSpec(name="pony", path=str(PONY), format=ModelFormat.MLX, ngram_speculation=guesses)
    runner = await fleet.start(spec)
    free = await answer(runner, ask("free", None))
    held = await answer(runner, ask("held", BUDGET))
    tokenizer = load_tokenizer(PONY, "pony", ())
    end = tuple(tokenizer.encode_within(tokenizer.family.thought_end))
    assert held.tokens[:BUDGET] == free.tokens[:BUDGET]
    assert held.tokens[BUDGET : BUDGET + len(end)] == end
    assert held.reasoning == tokenizer.decode(held.tokens[:BUDGET]).strip()
    assert held.text
    assert "think>" not in held.text
    assert held.logprobs == len(held.tokens)
    prompt = tokenizer.render(QUESTION, {}, thinking=Thinking(enabled=True))
    again = GenerateRequest(
        id="again",
        tokens=(*prompt, *held.tokens[: BUDGET + len(end)]),
        sampling=Sampling(temperature=0.0, max_tokens=24 - BUDGET - len(end), ignore_end=True),
    )
    assert (await answer(runner, again)).tokens == held.tokens[BUDGET + len(end) :]


async def test_a_budget_that_is_not_used_up_changes_nothing(fleet: SubprocessFleet) -> None:
    """It is a limit, not a length."""
    runner = await fleet.start(RunnerSpec(name="pony", path=str(PONY), format=ModelFormat.MLX))
    free = await answer(runner, ask("free", None))
    assert await answer(runner, ask("held", 1000)) == free


def test_only_words_that_the_tokenizer_knows_as_tokens_end_an_answer(tmp_path: Path) -> None:
    """In another vocabulary `</s>` may be a piece of text like any other, which answers about HTML are full of."""
    for file in PONY.glob("*token*.json"):
        shutil.copy(file, tmp_path)
    shutil.copy(PONY / "config.json", tmp_path)
    written = json.loads((tmp_path / "tokenizer.json").read_text())
    number = max(written["model"]["vocab"].values()) + 1
    written["model"]["vocab"]["</s>"] = 1000 + number
    (tmp_path / "tokenizer.json").write_text(json.dumps(written))
    tokenizer = load_tokenizer(tmp_path, "pony", ())
    assert "</s>" in tokenizer.family.end_texts
    assert tokenizer.vocabulary["</s>"] not in tokenizer.end_token_ids
    assert load_tokenizer(PONY, "pony", ()).end_token_ids == tokenizer.end_token_ids
