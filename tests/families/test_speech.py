"""What families read out of an answer, however it was cut."""

import json
import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paddock.families.detection import family_of
from paddock.families.speech import HELD_MAX
from tests.families.answers import CASES, TOOLS, case, hear, speech_of

NAMES = sorted(CASES)
LONG = 4 * HELD_MAX if os.environ.get("PADDOCK_SOAK") else HELD_MAX + 10_000  # more than is ever held back
MARKUP = (
    "<think>", "</think>", "<tool_call>", "</tool_call>", "<function=", "</function>", "<parameter=city>", "</parameter>",
    "<|python_tag|>", "<|eot_id|>", "<|im_end|>", "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "[THINK]", "[/THINK]", "</s>",
    "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>",
    "<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|call|>", "<|constrain|>", "<|tool_call|>", "<|/tool_call|>",
    "<end_of_turn>",
)  # fmt: skip
WORDS = (
    "weather", "clock", "rm", "analysis", "final", "assistant", " to=functions.clock", "```json\n", "function", "\n", " ",
    '{"name": "', '"', ": ", "{", "}", "[", "]", ",", ";", "(", ")", "\\", '"arguments": ', "null", "ü", "<", "</", "<|",
)  # fmt: skip
GARBAGE = st.lists(st.sampled_from((*MARKUP, *WORDS)), max_size=24).map("".join)


def cut(text: str, places: list[int]) -> list[str]:
    """`text` in pieces."""
    ends = sorted({min(place, len(text)) for place in places} | {len(text)})
    return [text[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


@pytest.mark.parametrize("name", NAMES)
def test_what_models_write_is_understood(name: str) -> None:
    """Markup that slips through is seen by the user, a call that is lost is work not done."""
    _, _, _, written, expected = case(name)
    assert hear(speech_of(name), [written]) == expected


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_reads_the_same_cut_anywhere(name: str) -> None:
    """Tokens end anywhere: every place is tried, and all of them at once."""
    _, _, _, written, expected = case(name)
    for place in range(len(written) + 1):
        assert hear(speech_of(name), [written[:place], written[place:]]) == expected, place
    assert hear(speech_of(name), list(written)) == expected


@given(name=st.sampled_from(NAMES), places=st.lists(st.integers(0, 200), max_size=20))
def test_an_answer_reads_the_same_in_any_pieces(name: str, places: list[int]) -> None:
    """Speculation brings several tokens a step, so pieces have any length."""
    _, _, _, written, expected = case(name)
    assert hear(speech_of(name), cut(written, places)) == expected


@given(
    name=st.sampled_from(NAMES),
    garbage=GARBAGE,
    places=st.lists(st.integers(0, 200), max_size=20),
    tools=st.booleans(),
    parallel=st.booleans(),
)
@example(
    name="qwen: text, then a call", garbage="<tool_call>{ , abc</tool_call>", places=[14], tools=True, parallel=True
)
def test_garbage_breaks_nothing_and_reads_the_same_in_any_pieces(
    name: str, garbage: str, places: list[int], tools: bool, parallel: bool
) -> None:
    """A small model writes anything. Nobody else's answer may suffer, nor may a bad answer depend on the load."""
    offered = TOOLS if tools else ()
    whole = hear(speech_of(name, tools=offered, parallel=parallel), [garbage])
    assert hear(speech_of(name, tools=offered, parallel=parallel), cut(garbage, places)) == whole
    assert len(whole.calls) <= (24 if parallel else 1)
    for called, arguments in whole.calls:
        assert called in {tool.name for tool in offered}
        if not isinstance(_parsed(arguments), dict):
            assert "not valid JSON" in whole.said or not parallel


@given(name=st.sampled_from(NAMES), end=st.integers(0, 400))
def test_a_truncated_answer_shows_no_markup(name: str, end: int) -> None:
    """The token limit falls anywhere. Half a tag at the very end may be text; a whole one never is."""
    architecture, template, _, written, _ = case(name)
    heard = hear(speech_of(name), [written[:end]])
    for mark in MARKUP:
        if mark in written and mark in (*family_of(architecture, template).markup, "</function>", "<|end|>"):
            assert mark not in heard.said + heard.thought


@pytest.mark.parametrize("name", NAMES)
def test_no_word_is_lost(name: str) -> None:
    """What is no call is said, wherever the model put it."""
    for words in ("Hello there", "<tool_call>Hello there", "<function=Hello there", "[TOOL_CALLS]Hello there"):
        heard = hear(speech_of(name), [words])
        assert "Hello there" in heard.said + heard.thought


@pytest.mark.parametrize("name", NAMES)
def test_of_calls_that_may_not_be_parallel_the_first_is_told(name: str) -> None:
    """Who asks for one call at a time runs it and asks again; what came after it would be done twice, or never."""
    _, _, _, written, expected = case(name)
    speech = speech_of(name, parallel=False)
    assert hear(speech, list(written)).calls == expected.calls[:1]
    assert speech.is_complete == bool(expected.calls)


@pytest.mark.parametrize(
    "name", ["qwen: text, then a call", "llama: bare JSON", "mistral: a list", "gpt-oss: the final channel"]
)
@pytest.mark.parametrize(
    "unit",
    [
        "<",
        "<tool_call>",
        "<think></think>",
        "{",
        '<tool_call>{"a": "',
        "[TOOL_CALLS]",
        " ",
        "\\",
        "<|channel|>",
        "[weather(",
        "x",
    ],
)
def test_a_long_answer_is_read_in_time_that_its_length_is_worth(name: str, unit: str) -> None:
    """What is held back is looked at again with every token; were it all of it, long answers would stop the device."""
    speech = speech_of(name)
    for character in (unit * 2_000)[:2_000]:
        speech.feed(character)
    speech.feed(unit * (LONG // len(unit)))
    speech.end()


def test_a_call_streams_while_it_is_written() -> None:
    """A file that is written by a tool call shows as it grows, not after minutes."""
    speech = speech_of("qwen: text, then a call")
    (begun,) = speech.feed('<tool_call>\n{"name": "weather", "arguments": {"ci').calls[:1]
    assert (begun.index, begun.id, begun.name) == (0, "call_0", "weather")
    assert "".join(delta.arguments for delta in speech.feed('ty": "Ro').calls) == 'ty": "Ro'


def test_without_tools_a_calls_tag_is_text() -> None:
    """Somebody may ask how models call tools."""
    speech = family_of("qwen3", "<|im_start|>").speech("", ())
    assert speech.feed("Write <tool_call>.").text + speech.end().text == "Write <tool_call>."


def test_thinking_is_known_while_it_goes_on() -> None:
    """Budgets count it."""
    for name, opening, closing in (
        ("qwen: text, then a call", "<think>", "</think>"),
        ("mistral: a list", "[THINK]", "[/THINK]"),
        ("gpt-oss: the final channel", "<|channel|>analysis<|message|>", "<|end|>"),
    ):
        speech = speech_of(name)
        assert not speech.is_thinking
        speech.feed(opening)
        assert speech.is_thinking
        speech.feed(f"hm{closing}")
        assert not speech.is_thinking


def _parsed(arguments: str) -> object:
    try:
        return json.loads(arguments)
    except ValueError:
        return None
