"""Answers in Anthropic's words: blocks come whole and in order, and a stream says what the whole message says."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from anthropic.types import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.dialects.anthropic_answers import MessageRenderer
from paddock.dialects.anthropic_messages import AskedMessage, parse_message
from paddock.dialects.anthropic_thoughts import thought_in
from paddock.vocabulary import FinishReason, GenerateEvent, ToolCallDelta, Usage
from tests.server import anthropic_shapes as shapes

USAGE = Usage(prompt_tokens=12, cached_tokens=5, completion_tokens=7)
CALLS = (
    ToolCallDelta(index=0, id="call_a", name="weather", arguments='{"city": '),
    ToolCallDelta(index=0, arguments='"Rome"}'),
    ToolCallDelta(index=1, id="call_b", name="clock"),
)


def asked(**fields: Any) -> AskedMessage:
    body = {"model": "pony", "max_tokens": 7, "messages": [{"role": "user", "content": "Hello"}], **fields}
    return parse_message(json.dumps(body).encode(), request_id="1", tenant="", default_model="pony")


def piece(**fields: Any) -> GenerateEvent:
    return GenerateEvent(id="1", **fields)


def last(reason: FinishReason = FinishReason.STOP, **fields: Any) -> GenerateEvent:
    return piece(finish_reason=reason, usage=USAGE, **fields)


def whole(events: Sequence[GenerateEvent], **fields: Any) -> Message:
    renderer = MessageRenderer(asked(**fields), "pony")
    for event in events:
        renderer.collect(0, event)
    return shapes.message(renderer.whole())


def streamed(events: Sequence[GenerateEvent], **fields: Any) -> Message:
    """What a client makes of the stream; each block must be whole before the next begins."""
    renderer = MessageRenderer(asked(**fields), "pony")
    text = b"".join([*(renderer.chunk(0, event) for event in events), renderer.end()]).decode()
    first, *others, delta, stop = shapes.events(text)
    assert (first.type, delta.type, stop.type) == ("message_start", "message_delta", "message_stop")
    message = first.message
    inputs: dict[int, str] = {}
    current: int | None = None
    for event in others:
        match event.type:
            case "content_block_start":
                assert current is None
                assert event.index == len(message.content)
                current = event.index
                message.content.append(event.content_block)
            case "content_block_stop":
                assert event.index == current
                current = None
            case "content_block_delta":
                assert event.index == current
                block: Any = message.content[event.index]
                match event.delta.type:
                    case "text_delta":
                        block.text += event.delta.text
                    case "thinking_delta":
                        block.thinking += event.delta.thinking
                    case "signature_delta":
                        block.signature = event.delta.signature
                    case "input_json_delta":
                        inputs[event.index] = inputs.get(event.index, "") + event.delta.partial_json
                    case kind:
                        raise AssertionError(kind)
            case kind:
                raise AssertionError(kind)
    assert current is None
    for index, text in inputs.items():
        message.content[index].input = json.loads(text)  # type: ignore[union-attr]
    message.stop_reason, message.stop_sequence = delta.delta.stop_reason, delta.delta.stop_sequence
    for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
        setattr(message.usage, name, getattr(delta.usage, name))
    return message


def test_thoughts_texts_and_calls_are_blocks_in_their_order() -> None:
    events = [
        piece(reasoning="Hm."),
        piece(text="I will "),
        piece(text="look.", tool_calls=CALLS[:1]),
        piece(tool_calls=CALLS[1:]),
        last(FinishReason.TOOL_CALLS),
    ]
    message = whole(events)
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
    thinking, text, first, second = (block.model_dump() for block in message.content)
    assert (thinking["thinking"], text["text"]) == ("Hm.", "I will look.")
    assert (first["id"], first["name"], first["input"]) == ("toolu_a", "weather", {"city": "Rome"})
    assert (second["id"], second["input"]) == ("toolu_b", {})
    assert message.stop_reason == "tool_use"
    assert streamed(events) == message


def test_an_open_call_goes_on_before_anything_new_begins() -> None:
    """Pieces that wait for a slow reader become one event, which has the end of a call and text behind it."""
    events = [piece(tool_calls=CALLS[:1]), piece(text="Well.", tool_calls=CALLS[1:]), last(FinishReason.TOOL_CALLS)]
    kinds = ["tool_use", "text", "tool_use"]
    assert [block.type for block in whole(events).content] == kinds
    assert [block.type for block in streamed(events).content] == kinds


@pytest.mark.parametrize(
    ("event", "reason", "sequence"),
    [
        (last(), "end_turn", None),
        (last(stop="###"), "stop_sequence", "###"),
        (last(FinishReason.TOOL_CALLS, stop="###"), "tool_use", None),
        (last(FinishReason.LENGTH), "max_tokens", None),
        (
            replace(last(FinishReason.LENGTH), usage=replace(USAGE, completion_tokens=6)),
            "model_context_window_exceeded",
            None,
        ),
    ],
)
def test_it_says_why_it_ended(event: GenerateEvent, reason: str, sequence: str | None) -> None:
    for message in (whole([piece(text="x"), event]), streamed([piece(text="x"), event])):
        assert (message.stop_reason, message.stop_sequence) == (reason, sequence)


def test_what_the_cache_had_is_not_counted_as_read() -> None:
    """Anthropic's three numbers add up to the prompt."""
    for message in (whole([last()]), streamed([last()])):
        usage = message.usage
        assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (7, 5, 7)
        assert usage.cache_creation_input_tokens == 0


def test_a_stream_says_what_the_prompt_took_before_its_first_word() -> None:
    """Clients show how full the context is while the answer comes."""
    renderer = MessageRenderer(asked(stream=True), "pony")
    (start, *_) = shapes.events(renderer.chunk(0, piece(text="x", begun=replace(USAGE, completion_tokens=1))).decode())
    assert start.type == "message_start"
    assert (start.message.usage.input_tokens, start.message.usage.cache_read_input_tokens) == (7, 5)


def test_a_thought_that_is_not_to_be_shown_is_in_its_signature() -> None:
    hidden = {"thinking": {"type": "adaptive", "display": "omitted"}}
    events = [piece(reasoning="The "), piece(reasoning="secret.", text="42"), last()]
    for message in (whole(events, **hidden), streamed(events, **hidden)):
        block = message.content[0]
        assert block.type == "thinking"
        assert (block.thinking, thought_in(block.signature)) == ("", "The secret.")


def test_a_prompt_can_be_read_without_an_answer() -> None:
    """`max_tokens` 0 fills the cache; the model cannot help making one token, which nobody sees."""
    for message in (whole([piece(text="x"), last()], max_tokens=0), streamed([piece(text="x"), last()], max_tokens=0)):
        assert (message.content, message.stop_reason, message.usage.output_tokens) == ([], "max_tokens", 0)


def test_arguments_that_are_no_object_say_so() -> None:
    """An answer that was cut off in the middle of a call must not look like a call with other arguments."""
    for arguments in ('{"city": "Ro', "[1]", "NaN"):
        call = ToolCallDelta(index=0, id="call_a", name="weather", arguments=arguments)
        (block,) = whole([piece(tool_calls=(call,)), last(FinishReason.LENGTH)]).content
        assert block.model_dump()["input"] == {"INVALID_JSON": arguments}


@st.composite
def answers(draw: st.DrawFn) -> list[GenerateEvent]:
    """Any order of pieces that a model could write, in any cut."""
    events: list[GenerateEvent] = []
    index = -1
    for kind in draw(st.lists(st.sampled_from(["thought", "text", "call"]), max_size=6)):
        said = draw(st.lists(st.text(max_size=4), min_size=1, max_size=3))
        match kind:
            case "thought":
                events.extend(piece(reasoning=each) for each in said)
            case "text":
                events.extend(piece(text=each) for each in said)
            case _:
                index += 1
                begin = ToolCallDelta(index=index, id=f"call_{index}", name="x")
                rest = [ToolCallDelta(index=index, arguments=each) for each in (json.dumps({"a": said[0]}), " ")]
                events.extend(piece(tool_calls=(delta,)) for delta in (begin, *rest))
    return [*events, last()]


@settings(deadline=None)
@given(answers())
def test_a_stream_adds_up_to_the_whole_message(events: list[GenerateEvent]) -> None:
    assert streamed(events) == whole(events)
