"""Calls that are held, in the markup of every family: written by a writer without a mind, read by the family's own reader."""

import json
import random
import zlib

import jsonschema_rs
import pytest

from paddock.vocabulary import Thinking, Tool, ToolChoice, ToolUse
from tests.families.answers import Heard, hear
from tests.runner.scribe import Letters, Scribe

WEATHER = Tool(
    name="weather",
    parameters={
        "type": "object",
        "properties": {
            "city": {"type": "string", "maxLength": 6},
            "days": {"type": "integer", "minimum": 1, "maximum": 9},
            "units": {"enum": ["c", 'say "f"']},
        },
        "required": ["city", "days"],
        "additionalProperties": False,
    },
    strict=True,
)
ALARM = Tool(
    name="set_alarm",
    parameters={
        "type": "object",
        "properties": {"at": {"type": "array", "items": {"type": "boolean"}, "maxItems": 2}},
        "required": ["at"],
        "additionalProperties": False,
    },
    strict=True,
)
TOOLS = (WEATHER, ALARM)
ANSWERS = 24

THINK = ("<think>", "</think>")
TAGS = ("<tool_call>", "</tool_call>")
DEEPSEEK = (
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁calls▁end｜>",
    "<｜tool▁call▁begin｜>",
    "<｜tool▁call▁end｜>",
    "<｜tool▁sep｜>",
)
HARMONY = ("<|channel|>", "<|message|>", "<|constrain|>", "<|start|>", "<|end|>")
LETTERS = {
    "plain": Letters("other", "x"),
    "qwen": Letters("qwen3", "<|im_start|>", (*THINK, *TAGS)),
    "qwen, tags as text": Letters("qwen2", "<|im_start|>"),
    "qwen coder": Letters("qwen3_moe", "<|im_start|><function=", TAGS),
    "qwen coder, tags as text": Letters("qwen3_moe", "<|im_start|><function="),
    "llama": Letters("llama", "<|python_tag|>", ("<|python_tag|>",)),
    "llama 2": Letters("llama", "<<SYS>>"),
    "mistral": Letters("mistral", "[TOOL_CALLS]", ("[TOOL_CALLS]",)),
    "mistral, tags as text": Letters("mistral", "[TOOL_CALLS]"),
    "mistral, with arguments marked": Letters(
        "mistral", "[TOOL_CALLS][ARGS]", ("[TOOL_CALLS]", "[ARGS]", "[THINK]", "[/THINK]")
    ),
    "gemma": Letters("gemma3", "<start_of_turn>"),
    "deepseek": Letters("deepseek_v3", "<｜tool▁calls▁begin｜>", (*DEEPSEEK, *THINK)),
    "deepseek, in fences": Letters("deepseek_v3", "<｜tool▁calls▁begin｜>```json", DEEPSEEK),
    "phi": Letters("phi3", "<|tool_call|>", ("<|tool_call|>", "<|/tool_call|>")),
    "gpt_oss": Letters("gpt_oss", "<|channel|>", HARMONY),
}
# What a model may try in order to call with arguments that no schema has: each family's own words, and others'.
WRONG = '{"town": "Rome", "days": "three"}'
SCRIPTS = (
    "Well, it is {} so. ",
    f'<tool_call>\n{{"name": "weather", "arguments": {WRONG}}}\n</tool_call>',
    f'Let me see. <tool_call>{{"arguments": {WRONG}, "name": "weather"}}</tool_call> and so',
    f'{{"name": "weather", "parameters": {WRONG}}}',
    f' {{"parameters": {WRONG}, "name": "weather"}}',
    f'[{{"name":"weather","arguments":{WRONG}}}]',
    f'{{"type": "function", "function": {{"name": "weather", "arguments": {WRONG}}}}}',
    '[weather(town="Rome", days="three")]',
    f'<|python_tag|>{{"name": "weather", "parameters": {WRONG}}}',
    f"so <function=weather>{WRONG}</function> then",
    "<tool_call>\n<function=weather>\n<parameter=town>\nRome\n</parameter>\n</function>\n</tool_call>",
    f'[TOOL_CALLS][{{"name": "weather", "arguments": {WRONG}}}]',
    f"Sure.[TOOL_CALLS]weather[ARGS]{WRONG}",
    f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{WRONG}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    f"<｜tool▁call▁begin｜>weather<｜tool▁sep｜>{WRONG}<｜tool▁call▁end｜>",
    f'<|tool_call|>[{{"name": "weather", "arguments": {WRONG}}}]<|/tool_call|>',
    f"<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{WRONG}",
    f" to=functions.weather<|channel|>commentary <|constrain|>json<|message|>{WRONG}",
    "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>It is hot.",
    "<think>\nhm\n</think>\n\nIt is hot.",
)


@pytest.fixture(params=LETTERS, scope="module")
def scribe(request: pytest.FixtureRequest) -> Scribe:
    return Scribe(LETTERS[request.param])


def read(scribe: Scribe, written: str, draw: random.Random, *, parallel: bool = True) -> Heard:
    """By the family's own reader, in pieces of any length."""
    cuts = sorted(draw.sample(range(len(written) + 1), min(5, len(written) + 1)))
    pieces = [written[start:end] for start, end in zip([0, *cuts], [*cuts, len(written)], strict=True)]
    return hear(scribe.letters.family.speech("", TOOLS, parallel=parallel), pieces)


def check(heard: Heard, written: str) -> None:
    """Every call is of a tool, and its arguments are what the tool says."""
    schemas = {tool.name: tool.parameters for tool in TOOLS}
    for name, arguments in heard.calls:
        assert jsonschema_rs.validator_for(schemas[name]).is_valid(json.loads(arguments)), written
    assert "not valid JSON" not in heard.said, written


def draws(name: str) -> random.Random:
    return random.Random(zlib.crc32(name.encode()))


@pytest.mark.parametrize("name", [None, "set_alarm"])
@pytest.mark.parametrize("parallel", [True, False])
def test_calls_that_are_required_are_made_and_are_valid(scribe: Scribe, name: str | None, *, parallel: bool) -> None:
    """Programs that ask for a call read nothing else. No family's markup may let a model out of it."""
    draw = draws(f"{scribe.letters.family.name} {name} {parallel}")
    choice = ToolChoice(use=ToolUse.REQUIRED, name=name, parallel=parallel)
    guide = scribe.guide(tools=TOOLS, tool_choice=choice)
    assert guide is not None
    ended = 0
    for number in range(ANSWERS):
        guide.restart([])
        written = scribe.write(guide, draw, draw.choice(SCRIPTS) if number % 2 else "")
        if written is None:
            continue
        ended += 1
        heard = read(scribe, written, draw, parallel=parallel)
        check(heard, written)
        assert heard.calls, written
        assert heard.said.strip() == "", written
        assert name is None or {called for called, _ in heard.calls} == {name}
    assert ended > ANSWERS // 2


def test_a_call_that_a_model_begins_by_itself_is_held_to_its_schema(scribe: Scribe) -> None:
    """`strict` with `auto`: whether to call is the model's choice, and what a call says is not."""
    guide = scribe.guide(tools=TOOLS)
    assert guide is not None
    draw = draws(scribe.letters.family.name)
    called = said = 0
    for script in SCRIPTS * 3:
        guide.restart([])
        written = scribe.write(guide, draw, script)
        if written is None:
            continue
        heard = read(scribe, written, draw)
        check(heard, written)
        called += len(heard.calls)
        said += bool(heard.said.strip())
    assert called >= 3
    assert said >= 3


def test_free_answers_are_free(scribe: Scribe) -> None:
    """What is no call is written as the model likes: JSON, lists, tags, thoughts."""
    guide = scribe.guide(tools=TOOLS)
    assert guide is not None
    lead = "<|channel|>final<|message|>" if scribe.letters.family.name == "gpt_oss" else ""
    for text in (
        "Hello.",
        "",
        '{"name": "Ada", "age": 36}',
        '[1, {"weather": "hot"}]',
        "a < b, <tool and <function\n\n```json\n{}\n```",
        "weather(city) is a function; set_alarm, too.",
    ):
        guide.restart([])
        tokens = scribe.letters.encode_within(lead + text)
        assert guide.fitting(tokens) == len(tokens), text


def test_tools_that_are_not_strict_hold_nothing(scribe: Scribe) -> None:
    """Nobody pays for a promise that nobody asked for."""
    loose = Tool(name="weather", parameters=WEATHER.parameters)
    assert scribe.guide(tools=(loose,)) is None
    assert scribe.guide(tools=(WEATHER,), tool_choice=ToolChoice(use=ToolUse.NONE)) is None


def test_a_thought_may_come_before_a_call_that_is_held(scribe: Scribe) -> None:
    """Nobody who thinks first loses that by being strict."""
    markup = scribe.letters.family.tags
    if not markup.think or markup.think not in scribe.letters.marks:
        return  # it has none, or writes it in words like any other
    guide = scribe.guide(tools=TOOLS, thinking=Thinking(enabled=True))
    assert guide is not None
    tokens = scribe.letters.encode_within(f"{markup.think}\nI call the weather.\n{markup.think_end}\n\nIt is hot.")
    assert guide.fitting(tokens) == len(tokens)
