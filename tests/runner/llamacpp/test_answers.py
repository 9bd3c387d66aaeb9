"""A GGUF model answers as every other: pony, converted, so that answers mean something."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from paddock.errors import Incompatible, PaddockError, PromptTooLong, UsageError
from paddock.fleet.fleet import Runner, RunnerSpec
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.vocabulary import (
    FinishReason,
    FormatKind,
    GenerateEvent,
    GenerateRequest,
    Message,
    ModelFormat,
    OutputFormat,
    Priority,
    Sampling,
    Thinking,
    Tool,
    ToolChoice,
    ToolUse,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

WEATHER = Tool(
    name="weather",
    description="The weather in a city.",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
LONG = "Tell me a story about a horse."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pony(pony_gguf: Path) -> AsyncIterator[Runner]:
    fleet = SubprocessFleet()
    yield await fleet.start(spec(pony_gguf))
    await fleet.close()


def spec(path: Path, **more: Any) -> RunnerSpec:
    return RunnerSpec(name="pony-gguf", path=str(path), format=ModelFormat.GGUF, **more)


def ask(text: str = "What is 3 plus 4?", **more: Any) -> GenerateRequest:
    sampling = Sampling(**{"temperature": 0.0, "max_tokens": 60, **more.pop("sampling", {})})
    return GenerateRequest(id=text, messages=(Message(role="user", content=text),), sampling=sampling, **more)


async def hear(runner: Runner, request: GenerateRequest) -> list[GenerateEvent]:
    async with aclosing(runner.generate(request)) as events:
        return [event async for event in events]


async def text_of(runner: Runner, request: GenerateRequest) -> str:
    return "".join(event.text for event in await hear(runner, request))


async def test_it_answers_and_says_what_it_took(pony: Runner) -> None:
    events = await hear(pony, ask())
    assert "7" in "".join(event.text for event in events)
    assert events[-1].finish_reason is FinishReason.STOP
    assert events[-1].usage is not None
    assert events[-1].usage.completion_tokens == sum(len(event.token_ids) for event in events)
    assert await pony.count(ask()) == events[-1].usage.prompt_tokens


async def test_many_at_once_say_what_each_says_alone(pony: Runner) -> None:
    """More than there are slots at first: the cache is cut anew under those that run."""
    questions = [f"What is {one} plus {other}?" for one in range(1, 5) for other in range(1, 6)]
    together = await asyncio.gather(*(text_of(pony, ask(question)) for question in questions))
    for question, text in zip(questions, together, strict=True):
        one, other = (int(word.strip("?")) for word in question.split() if word.strip("?").isdigit())
        assert str(one + other) in text
    assert [await text_of(pony, ask(question)) for question in questions[:4]] == together[:4]


async def test_a_beginning_that_was_read_is_not_read_again(pony: Runner) -> None:
    """Also while the first of them is still answering: it is copied then."""
    tokens = tuple(200 + number % 900 for number in range(700))
    first = replace(
        ask(), messages=None, tokens=tokens, sampling=Sampling(temperature=0, max_tokens=200, ignore_end=True)
    )
    others = [replace(first, id=f"{end}", tokens=(*tokens, end), sampling=Sampling(max_tokens=1)) for end in (7, 8, 9)]
    running = asyncio.create_task(hear(pony, first))
    heard = await asyncio.gather(*(hear(pony, each) for each in others))
    assert [events[-1].usage.cached_tokens for events in heard if events[-1].usage] == [700] * 3
    assert len([token for event in await running for token in event.token_ids]) == 200


async def test_tenants_share_no_beginnings(pony: Runner) -> None:
    tokens = tuple(300 + number % 900 for number in range(100))
    for tenant in ("one", "other"):
        request = replace(ask(), messages=None, tokens=tokens, tenant=tenant, sampling=Sampling(max_tokens=1))
        (*_, last) = await hear(pony, request)
        assert last.usage is not None
        assert last.usage.cached_tokens == 0


async def test_tools_are_called(pony: Runner) -> None:
    """Freely, and where a call is demanded."""
    for choice in (ToolChoice(), ToolChoice(use=ToolUse.REQUIRED)):
        events = await hear(pony, ask("What is the weather in Rome?", tools=(WEATHER,), tool_choice=choice))
        arguments = "".join(call.arguments for event in events for call in event.tool_calls)
        assert "Rome" in json.loads(arguments)["city"]
        assert events[-1].finish_reason is FinishReason.TOOL_CALLS


async def test_answers_are_held_to_a_schema(pony: Runner) -> None:
    schema = {
        "type": "object",
        "properties": {"horse": {"enum": ["black", "white"]}, "legs": {"type": "integer", "maximum": 9, "minimum": 1}},
        "required": ["horse", "legs"],
        "additionalProperties": False,
    }
    form = OutputFormat(kind=FormatKind.JSON_SCHEMA, schema=schema)
    hot = {"temperature": 1.5, "seed": 3, "max_tokens": 200}
    held = json.loads(await text_of(pony, ask(LONG, format=form, sampling=hot)))
    assert held["horse"] in ("black", "white")
    assert 1 <= held["legs"] <= 9


async def test_a_thought_is_told_apart_and_ends_at_its_budget(pony: Runner) -> None:
    thoughts: list[str] = []
    for budget in (None, 3):
        events = await hear(pony, ask(thinking=Thinking(enabled=True, budget_tokens=budget)))
        thoughts.append("".join(event.reasoning for event in events).strip())
        text = "".join(event.text for event in events)
        assert text
        assert "think>" not in text + thoughts[-1]
        assert budget is not None or "7" in text
    assert thoughts[0].startswith(thoughts[1])
    assert 0 < len(thoughts[1]) < len(thoughts[0])


async def test_stop_strings_end_an_answer(pony: Runner) -> None:
    events = await hear(pony, ask(sampling={"stop": ("=",)}))
    assert "".join(event.text for event in events) == "3 + 4 "
    assert (events[-1].finish_reason, events[-1].stop) == (FinishReason.STOP, "=")


async def test_logprobs_bias_and_seeds_are_those_of_every_model(pony: Runner) -> None:
    events = await hear(pony, ask(sampling={"top_logprobs": 2}))
    entries = [entry for event in events for entry in event.logprobs]
    assert b"".join(entry[0].token for entry in entries).decode() == "".join(event.text for event in events)
    assert all(entry[0].logprob == entry[1].logprob >= entry[2].logprob for entry in entries)
    first = entries[0][0].token_id
    banned = await hear(pony, ask(sampling={"logit_bias": {first: -100.0}}))
    assert banned[0].token_ids[0] != first
    drawn = [
        await text_of(pony, ask(LONG, sampling={"temperature": 1.0, "seed": seed, "top_p": 0.9})) for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


async def test_what_is_wrong_with_a_request_is_said_as_everywhere(pony: Runner) -> None:
    with pytest.raises(PromptTooLong, match="3000 tokens; the context holds 2048"):
        await hear(pony, replace(ask(), messages=None, tokens=(5,) * 3000))
    with pytest.raises(UsageError, match="token 4096"):
        await hear(pony, replace(ask(), messages=None, tokens=(5, 4096)))
    with pytest.raises(UsageError, match="temperature"):
        await hear(pony, ask(sampling={"temperature": -1.0}))


async def test_settings_at_the_edge_of_numbers_harm_nobody(pony: Runner) -> None:
    """Too small for the numbers that the device uses: the answer is as it would be at the edge."""
    greedy = await text_of(pony, ask())
    assert await text_of(pony, ask(sampling={"temperature": 1e-300, "seed": 1})) == greedy
    tiny = ask(sampling={"temperature": 1.0, "repetition_penalty": 1e-300, "seed": 1, "max_tokens": 4})
    assert (await hear(pony, tiny))[-1].finish_reason is not FinishReason.ERROR


async def test_leaving_frees_the_slot(pony: Runner) -> None:
    request = ask(LONG, sampling={"max_tokens": 1500, "ignore_end": True})
    async with aclosing(pony.generate(request)) as events:
        await anext(events)
        assert (await pony.stats()).running == 1
    async with asyncio.timeout(30):
        while (await pony.stats()).running:
            await asyncio.sleep(0.02)
    assert "7" in await text_of(pony, ask())


async def test_an_urgent_request_goes_before_those_that_wait(pony_gguf: Path) -> None:
    """With one place, the one that has it gives way, and goes on from where it was."""
    fleet = SubprocessFleet()
    try:
        runner = await fleet.start(spec(pony_gguf, batch_max=1))
        slow = ask(LONG, sampling={"max_tokens": 300, "ignore_end": True}, priority=Priority.LOW)
        alone = await text_of(runner, slow)
        running = asyncio.create_task(text_of(runner, slow))
        while not (await runner.stats()).running:
            await asyncio.sleep(0.01)
        assert "7" in await text_of(runner, ask(priority=Priority.HIGH))
        assert not running.done()
        assert await running == alone
    finally:
        await fleet.close()


async def test_guesses_from_the_text_change_nothing_but_the_time(pony: Runner, pony_gguf: Path) -> None:
    fleet = SubprocessFleet()
    try:
        guessing = await fleet.start(spec(pony_gguf, ngram_speculation=True))
        request = ask(
            "Repeat: one two three one two three one two three", sampling={"max_tokens": 80, "ignore_end": True}
        )
        events = await hear(guessing, request)
        assert "".join(event.text for event in events) == await text_of(pony, request)
        assert events[-1].usage is not None
        assert events[-1].usage.accepted_tokens > 0
    finally:
        await fleet.close()


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"draft_path": "/anywhere"}, Incompatible, "no draft model"),
        ({"memory_bytes_max": 30_000_000}, PaddockError, "leaves no room for its cache"),
    ],
)
async def test_what_cannot_be_loaded_is_said(
    pony_gguf: Path, more: dict[str, Any], error: type[PaddockError], message: str
) -> None:
    fleet = SubprocessFleet()
    try:
        with pytest.raises(error, match=message):
            await fleet.start(spec(pony_gguf, **more))
    finally:
        await fleet.close()
