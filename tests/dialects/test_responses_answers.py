"""Responses as they are written: every way that an answer can come gives events of OpenAI's shape in OpenAI's order."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.dialects.responses_answers import ResponseRenderer
from paddock.dialects.responses_fields import read_response
from paddock.dialects.responses_items import Reading
from paddock.dialects.responses_request import AskedResponse, understood
from paddock.errors import Overloaded, RunnerCrashed
from paddock.vocabulary import FinishReason, GenerateEvent, ToolCallDelta, Usage
from tests.server import openai_shapes as shapes

CALL = [
    ToolCallDelta(index=0, id="call_1", name="f"),
    ToolCallDelta(index=0, arguments='{"a"'),
    ToolCallDelta(index=0, arguments=": 1}"),
]


def asked(**body: Any) -> AskedResponse:
    fields, unknown = read_response(json.dumps({"model": "pony", "input": "Hello", **body}).encode())
    reading = Reading(key="k", model="pony", known={})
    return understood(fields, key="k", request_id="r", tenant="", reading=reading, before=(), unknown=unknown)


def renderer(**body: Any) -> ResponseRenderer:
    return ResponseRenderer(asked(**body), model="pony", now=lambda: 1_700_000_000)


def piece(**fields: Any) -> GenerateEvent:
    return GenerateEvent(id="r", **fields)


def last(reason: FinishReason = FinishReason.STOP) -> GenerateEvent:
    return piece(finish_reason=reason, usage=Usage(prompt_tokens=5, completion_tokens=7))


def streamed(pieces: list[GenerateEvent]) -> list[Any]:
    told = renderer()
    return shapes.response_events(b"".join([*(told.chunk(0, each) for each in pieces), told.end()]).decode())


def whole(pieces: list[GenerateEvent]) -> Any:
    told = renderer()
    for each in pieces:
        told.collect(0, each)
    return shapes.response(told.whole())


def test_thoughts_texts_and_calls_are_items_in_the_order_in_which_they_came() -> None:
    second = ToolCallDelta(index=1, id="call_2", name="g", arguments="{}")
    pieces = [piece(reasoning="Hm."), piece(text="I look."), *(piece(tool_calls=(each,)) for each in CALL)]
    output = whole([*pieces, piece(tool_calls=(second,)), last(FinishReason.TOOL_CALLS)]).output
    assert [item.type for item in output] == ["reasoning", "message", "function_call", "function_call"]
    assert [(item.name, item.arguments) for item in output[2:]] == [("f", '{"a": 1}'), ("g", "{}")]
    assert len({item.id for item in output}) == 4


def test_an_answer_with_nothing_in_it_is_a_message_without_text() -> None:
    """Clients look for one."""
    answer = whole([last()])
    assert ([item.type for item in answer.output], answer.output_text) == (["message"], "")


def test_an_answer_that_fails_says_so_in_both_ways() -> None:
    """Some clients heed `error`, others `response.failed`; whatever was open is closed before."""
    told = renderer()
    begun = told.chunk(0, piece(text="I"))
    events = shapes.response_events((begun + told.failure(RunnerCrashed("It ended.", hint="Ask again."))).decode())
    assert [event.type for event in events[-3:]] == ["response.output_item.done", "error", "response.failed"]
    assert events[-2].code == "runner_crashed"
    failed = events[-1].response
    assert (failed.status, failed.error.code, failed.output[0].status) == ("failed", "server_error", "incomplete")


def test_what_fails_before_the_first_piece_begins_the_response_first() -> None:
    events = shapes.response_events(renderer().failure(Overloaded("Full.", hint="Wait.")).decode())
    assert [event.type for event in events] == ["response.created", "response.in_progress", "error", "response.failed"]
    assert events[-1].response.error.code == "rate_limit_exceeded"


TEXTS = st.text(min_size=1, max_size=8)
SAID = st.lists(
    st.one_of(
        TEXTS.map(lambda text: [piece(reasoning=text)]),
        TEXTS.map(lambda text: [piece(text=text)]),
        st.just([piece(tool_calls=(each,)) for each in CALL]),
        st.just([piece(tool_calls=tuple(CALL))]),
        st.just([piece()]),
    ),
    max_size=8,
)


@settings(deadline=None)
@given(SAID, st.sampled_from([FinishReason.STOP, FinishReason.LENGTH, FinishReason.TOOL_CALLS]))
def test_a_stream_and_a_whole_response_say_the_same(parts: list[list[GenerateEvent]], reason: FinishReason) -> None:
    """However an answer is cut into pieces; the events put together are the items of the last."""
    pieces = [each for part in parts for each in part]
    events = streamed([*pieces, last(reason)])
    answer = whole([*pieces, last(reason)])
    assert events[-1].response == answer
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert done == answer.output
    for number, item in enumerate(answer.output):
        of_item = [event for event in events if getattr(event, "output_index", None) == number]
        text = "".join(event.delta for event in of_item if event.type.endswith(".delta"))
        assert text == (item.arguments if item.type == "function_call" else item.content[0].text)
        assert (of_item[0].type, of_item[-1].type) == ("response.output_item.added", "response.output_item.done")
