"""Forms and calls that requests ask for, through a real runner."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs
import pytest
import pytest_asyncio

from paddock.app import BUILTIN_MODELS
from paddock.errors import UsageError
from paddock.fleet.fleet import Runner, RunnerSpec
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.vocabulary import (
    FinishReason,
    FormatKind,
    GenerateRequest,
    Message,
    ModelFormat,
    OutputFormat,
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
    parameters={
        "type": "object",
        "properties": {
            "city": {"type": "string", "maxLength": 12},
            "days": {"type": "integer", "minimum": 1, "maximum": 9},
        },
        "required": ["city", "days"],
        "additionalProperties": False,
    },
    strict=True,
)
CLOCK = Tool(name="clock", description="The time.")
YES_OR_NO = OutputFormat(kind=FormatKind.JSON_SCHEMA, schema={"enum": ["yes", "no"]})


@dataclass
class Heard:
    text: str = ""
    reasoning: str = ""
    names: dict[int, str] = field(default_factory=dict[int, str])
    arguments: dict[int, str] = field(default_factory=dict[int, str])
    finish: FinishReason | None = None


def ask(name: str, text: str = "What is the weather in Rome?", **more: Any) -> GenerateRequest:
    sampling = Sampling(**{"temperature": 0.0, "max_tokens": 120, **more.pop("sampling", {})})
    return GenerateRequest(id=name, messages=(Message(role="user", content=text),), sampling=sampling, **more)


async def hear(runner: Runner, request: GenerateRequest) -> Heard:
    heard = Heard()
    async with aclosing(runner.generate(request)) as events:
        async for event in events:
            heard.text += event.text
            heard.reasoning += event.reasoning
            for call in event.tool_calls:
                heard.names[call.index] = heard.names.get(call.index, "") + call.name
                heard.arguments[call.index] = heard.arguments.get(call.index, "") + call.arguments
            heard.finish = event.finish_reason
    return heard


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pony() -> AsyncIterator[Runner]:
    fleet = SubprocessFleet()
    path = str(BUILTIN_MODELS / "pony")
    yield await fleet.start(RunnerSpec(name="pony", path=path, format=ModelFormat.MLX, ngram_speculation=True))
    await fleet.close()


async def test_required_calls_are_made_and_are_valid_sixteen_at_once(pony: Runner) -> None:
    """`required` is a promise to programs that read calls and nothing else, whatever the model would like to say."""
    choices = [
        ToolChoice(use=ToolUse.REQUIRED, parallel=False),
        ToolChoice(use=ToolUse.REQUIRED, name="weather", parallel=False),
        ToolChoice(use=ToolUse.REQUIRED, name="weather"),
    ]
    requests = [
        ask(
            f"r{number}",
            "Tell me a story about a horse.",
            tools=(WEATHER, CLOCK),
            tool_choice=choices[number % len(choices)],
            sampling={"temperature": 1.2, "seed": number, "max_tokens": 400},
        )
        for number in range(16)
    ]
    validator = jsonschema_rs.validator_for(dict(WEATHER.parameters))
    for request, heard in zip(requests, await asyncio.gather(*(hear(pony, each) for each in requests)), strict=True):
        assert heard.names, heard
        assert not heard.text
        ended = heard.finish is FinishReason.TOOL_CALLS
        whole = [index for index in heard.names if ended or index + 1 in heard.names]
        assert whole or request.tool_choice.parallel or heard.names[0] == "clock", heard
        for index in whole:
            arguments = json.loads(heard.arguments[index])
            assert heard.names[index] == (request.tool_choice.name or heard.names[index])
            assert heard.names[index] != "weather" or validator.is_valid(arguments)
        assert request.tool_choice.parallel or len(heard.names) == 1


async def test_a_thought_comes_before_the_form_and_is_not_held(pony: Runner) -> None:
    """A model that reasons first answers better; the form begins where the thought ends."""
    heard = await hear(pony, ask("t", "What is 3 plus 4?", format=YES_OR_NO, thinking=Thinking(enabled=True)))
    assert heard.reasoning.strip()
    assert json.loads(heard.text) in ("yes", "no")
    assert heard.finish is FinishReason.STOP


async def test_markup_in_a_held_answer_is_text(pony: Runner) -> None:
    """A form may want what looks like a thought; none of it is taken for one."""
    wanted = "<think>a</think> <tool_call>{}</tool_call>"
    heard = await hear(pony, ask("m", format=OutputFormat(kind=FormatKind.CHOICE, choices=(wanted,))))
    assert (heard.text, heard.reasoning) == (wanted, "")


async def test_stop_strings_and_max_tokens_end_held_answers_as_any(pony: Runner) -> None:
    """The form says what may come, never how far."""
    digits = OutputFormat(kind=FormatKind.REGEX, pattern="[0-9]{100}")
    cut = await hear(pony, ask("c", format=digits, sampling={"max_tokens": 5}))
    assert cut.finish is FinishReason.LENGTH
    assert cut.text.isdigit()
    choice = OutputFormat(kind=FormatKind.CHOICE, choices=("red END blue",))
    stopped = await hear(pony, ask("s", format=choice, sampling={"stop": ("END",)}))
    assert (stopped.text, stopped.finish) == ("red ", FinishReason.STOP)


async def test_a_raw_prompt_is_held_too(pony: Runner) -> None:
    """Completions take forms as chats do."""
    request = GenerateRequest(
        id="p",
        prompt="The answer is",
        sampling=Sampling(temperature=0.0),
        format=OutputFormat(kind=FormatKind.REGEX, pattern=" [a-z]{4}!"),
    )
    assert (await hear(pony, request)).text[5:] == "!"


async def test_a_form_that_cannot_be_is_refused_while_others_are_answered(pony: Runner) -> None:
    """A bad schema costs its sender a message, and nobody else a token."""
    bad = ask("bad", format=OutputFormat(kind=FormatKind.JSON_SCHEMA, schema={"properties": {"a": {"type": "text"}}}))
    unknown = ask("unknown", tools=(CLOCK,), tool_choice=ToolChoice(use=ToolUse.REQUIRED, name="nobody"))
    told = await asyncio.gather(
        *(hear(pony, each) for each in (bad, unknown, ask("good", format=YES_OR_NO))), return_exceptions=True
    )
    assert isinstance(told[0], UsageError)
    assert "`properties.a`" in told[0].message
    assert isinstance(told[1], UsageError)
    assert "`nobody`" in told[1].message
    assert isinstance(told[2], Heard)
    assert json.loads(told[2].text) in ("yes", "no")


async def test_who_leaves_while_a_grammar_is_compiled_leaves_nothing_behind(pony: Runner) -> None:
    """Its id can be used again at once, and the next answer is the next request's."""
    large = OutputFormat(kind=FormatKind.JSON_SCHEMA, schema={"enum": [f"choice {number}" for number in range(20_000)]})
    leaving = asyncio.ensure_future(hear(pony, ask("again", format=large)))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert json.loads((await hear(pony, ask("again", format=YES_OR_NO))).text) in ("yes", "no")


async def test_calls_that_nobody_required_are_held_when_tools_are_strict(pony: Runner) -> None:
    """OpenAI's promise of `strict`: with `auto`, too. Hot, sixteen at once and with guesses, no call breaks its schema."""
    requests = [
        ask(
            f"strict{number}",
            "What is the weather in Rome?",
            tools=(WEATHER, CLOCK),
            sampling={"temperature": 1.1, "seed": number, "max_tokens": 200},
        )
        for number in range(16)
    ]
    validator = jsonschema_rs.validator_for(dict(WEATHER.parameters))
    called = 0
    for heard in await asyncio.gather(*(hear(pony, each) for each in requests)):
        for index, name in heard.names.items():
            if name == "weather" and heard.finish is FinishReason.TOOL_CALLS:
                called += 1
                assert validator.is_valid(json.loads(heard.arguments[index])), heard
    assert called >= 8


async def test_an_answer_in_words_is_the_same_whether_or_not_tools_are_strict(pony: Runner) -> None:
    """The promise concerns calls, and takes no word from who makes none."""
    said = []
    for strict in (True, False):
        tool = Tool(name="weather", description="The weather.", parameters=WEATHER.parameters, strict=strict)
        said.append((await hear(pony, ask(f"words{strict}", "Tell me a story about a horse.", tools=(tool,)))).text)
    assert said[0] == said[1]
    assert "horse" in said[0]
