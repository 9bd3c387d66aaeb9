"""Ollama's dialect without a server: what goes in comes out again, and calls in pieces come out whole."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.dialects.ollama_answers import ChatRenderer, Timing, time_text
from paddock.dialects.ollama_chat import parse_chat
from paddock.dialects.ollama_context import read_context, write_context
from paddock.dialects.ollama_fields import is_nothing, keep_alive_of
from paddock.dialects.ollama_names import meant_by, pull_reference, tagged
from paddock.errors import InvalidReference, UsageError
from paddock.vocabulary import (
    FinishReason,
    FormatKind,
    GenerateEvent,
    Message,
    ToolCallDelta,
    Usage,
)

TEXTS = st.text(st.characters(codec="utf-8"))
TURNS = st.lists(
    st.builds(Message, role=st.sampled_from(["system", "user", "assistant"]), content=TEXTS), min_size=1, max_size=6
)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@given(TURNS)
def test_a_context_is_read_back_as_it_was_written(turns: list[Message]) -> None:
    """Numbers of 24 bits survive every client: also those whose numbers are doubles."""
    numbers = write_context(turns)
    assert all(0 <= number < 2**24 for number in numbers)
    assert read_context(json.loads(json.dumps(numbers))) == tuple(turns)


@given(st.lists(st.integers(-(2**33), 2**33), max_size=30))
def test_numbers_from_elsewhere_are_refused_or_empty(numbers: list[int]) -> None:
    """Another server's tokens would be nonsense to this model, and no exception of ours."""
    if numbers:
        with pytest.raises(UsageError):
            read_context(numbers)
        with pytest.raises(UsageError):
            read_context([write_context([])[0], *numbers, -1])
    else:
        assert read_context(numbers) == ()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        ("5m", "5m"),
        ("1h30m", "1h30m"),
        (300, "300"),
        (0.5, "0.5"),
        (3600.0, "3600"),
        (0, "0"),
        (-1, "forever"),
        ("-1", "forever"),
        ("-1m", "forever"),
    ],
)
def test_keep_alive_is_read_as_ollama_reads_it(given: Any, kept: str | None) -> None:
    """A number is seconds, and everything below nothing is forever."""
    assert keep_alive_of(given) == kept
    assert is_nothing(keep_alive_of(given)) == (given == 0)


@pytest.mark.parametrize(
    "name", ["pony", "org/model", "llama3:8b", "org/model:Q4_K_M", "ollama://ada/own:1b", "a:latest"]
)
def test_a_listed_name_leads_back(name: str) -> None:
    assert name in meant_by(tagged(name))
    assert ":" in tagged(name).rpartition("/")[2]


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("llama3.2", "ollama://llama3.2"),
        ("llama3.2:3b", "ollama://llama3.2:3b"),
        ("ada/own:1b", "ollama://ada/own:1b"),
        ("registry.ollama.ai/library/llama3.2", "ollama://library/llama3.2"),
        ("ollama://llama3.2", "ollama://llama3.2"),
        ("hf.co/org/model", "hf://org/model"),
        ("hf.co/org/model:Q4_K_M", "hf://org/model:Q4_K_M"),
        ("huggingface.co/org/model:latest", "hf://org/model"),
    ],
)
def test_a_pulled_name_says_which_hub(name: str, reference: str) -> None:
    assert pull_reference(name) == reference


@given(st.from_regex(r"[a-z0-9-]{1,12}(\.[a-z]{2,8}|:[0-9]{1,5})(/[a-z]{1,8}){1,2}", fullmatch=True))
def test_no_host_of_a_request_is_asked(name: str) -> None:
    """But for the two that stand for the hubs of the settings."""
    if name.startswith(("hf.co/", "ollama.com/")):
        return
    with pytest.raises(InvalidReference):
        pull_reference(name)


def asked(**body: Any) -> Any:
    given = {"model": "pony", "messages": [{"role": "user", "content": "x"}], **body}
    return parse_chat(json.dumps(given).encode(), request_id="r", tenant="")


def test_a_format_is_json_or_a_schema() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    assert asked().request.format.kind is FormatKind.TEXT
    assert asked(format="").request.format.kind is FormatKind.TEXT
    assert asked(format="json").request.format.kind is FormatKind.JSON_OBJECT
    assert asked(format=schema).request.format.schema == schema


def test_thinking_is_a_wish_or_a_measure() -> None:
    """Only the template knows what to make of `high`."""
    assert asked().request.thinking.enabled is None
    assert asked(think=False).request.thinking.enabled is False
    high = asked(think="high").request
    assert high.thinking.enabled
    assert high.template_options == {"reasoning_effort": "high"}


def test_members_that_are_null_were_left_out() -> None:
    """The official clients send them for what nobody set."""
    tool = {"type": "function", "function": {"name": "f", "description": None, "parameters": None}}
    message = {"role": "user", "content": "x", "images": None, "tool_calls": None, "thinking": None}
    request = asked(messages=[message], tools=[tool], options={"seed": None}, format=None).request
    assert request.messages == (Message(role="user", content="x"),)
    assert request.tools[0].name == "f"


def test_results_find_the_calls_that_they_answer() -> None:
    """Two calls of one function, without ids: the results are in the order of the calls."""
    call = {"function": {"name": "f", "arguments": {"a": 1}}}
    other = {"function": {"name": "g", "arguments": {}}}
    messages = [
        {"role": "assistant", "tool_calls": [call, other, call]},
        {"role": "tool", "tool_name": "g", "content": "of g"},
        {"role": "tool", "tool_name": "f", "content": "first of f"},
        {"role": "tool", "content": "second of f"},
    ]
    assistant, *results = asked(messages=messages).request.messages
    ids = [one.id for one in assistant.tool_calls]
    assert len(set(ids)) == 3
    assert [result.tool_call_id for result in results] == [ids[1], ids[0], ids[2]]
    assert [result.name for result in results] == ["g", "f", "f"]
    assert json.loads(assistant.tool_calls[0].arguments) == {"a": 1}


def rendered(events: Sequence[GenerateEvent]) -> tuple[list[Any], Any]:
    """What the stream says, and what the whole answer says."""
    timing = Timing(clock=lambda: 1.0, began=0.0, loading_s=lambda: 0.25, now=lambda: NOW)
    stream, whole = ChatRenderer(asked(), timing), ChatRenderer(asked(), timing)
    said = b"".join([*(stream.chunk(0, event) for event in events), stream.end()])
    for event in events:
        whole.collect(0, event)
    return [json.loads(line) for line in said.splitlines()], json.loads(whole.whole())


def test_calls_in_pieces_come_out_whole_and_in_order() -> None:
    """Ollama's clients have no place for half a call."""
    deltas = [
        ToolCallDelta(index=0, id="a", name="f"),
        ToolCallDelta(index=0, arguments='{"x"'),
        ToolCallDelta(index=0, arguments=": 1}"),
        ToolCallDelta(index=1, id="b", name="g"),
        ToolCallDelta(index=1, arguments="{}"),
    ]
    events = [GenerateEvent(id="r", tool_calls=(delta,)) for delta in deltas]
    last = GenerateEvent(id="r", finish_reason=FinishReason.TOOL_CALLS, usage=Usage(completion_tokens=5))
    lines, whole = rendered([*events, last])
    wanted = [
        {"id": "a", "function": {"index": 0, "name": "f", "arguments": {"x": 1}}},
        {"id": "b", "function": {"index": 1, "name": "g", "arguments": {}}},
    ]
    assert whole["message"]["tool_calls"] == wanted
    assert [call for line in lines for call in line["message"].get("tool_calls", [])] == wanted
    assert [line["done"] for line in lines] == [False, False, True]
    assert whole["load_duration"] == 250_000_000
    assert whole["prompt_eval_duration"] == 750_000_000


def test_a_call_that_is_no_json_is_left_to_the_text() -> None:
    """Arguments are an object here; the family has said in the text that these are none."""
    call = ToolCallDelta(index=0, id="a", name="f", arguments='{"x": ')
    end = GenerateEvent(id="r", text="[not valid]", tool_calls=(call,), finish_reason=FinishReason.LENGTH)
    lines, whole = rendered([end])
    assert "tool_calls" not in whole["message"]
    assert whole["message"]["content"] == "[not valid]"
    assert (whole["done_reason"], lines[-1]["done_reason"]) == ("length", "length")


def test_times_are_as_go_writes_them() -> None:
    assert time_text(NOW) == "2026-01-02T03:04:05.000000Z"
    assert time_text(NOW.replace(tzinfo=None)) == time_text(NOW), "the database keeps UTC without saying so"
