"""Tools and thoughts in `/v1/chat/completions`, with the official client and with `pony`, which has learned to call."""

import json
from typing import Any

import httpx2
import openai
import pytest

from tests.server import openai_shapes as shapes

pytestmark = pytest.mark.xdist_group("openai")

CHAT = "/v1/chat/completions"
QUESTION: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
SUM: list[Any] = [{"role": "user", "content": "What is 3 plus 4?"}]


def function(name: str, **properties: str) -> dict[str, Any]:
    described = {key: {"type": kind} for key, kind in properties.items()}
    parameters = {"type": "object", "properties": described, "required": list(properties)}
    return {
        "type": "function",
        "function": {"name": name, "description": f"{name} for a place", "parameters": parameters},
    }


WEATHER = function("get_weather", city="string")
TIME = function("get_time", city="string")


def test_a_tool_is_called_and_its_result_told(client: openai.OpenAI) -> None:
    """The round trip that every agent is made of."""
    first = client.chat.completions.create(model="pony", messages=QUESTION, tools=[WEATHER], temperature=0)
    choice = first.choices[0]
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    (call,) = choice.message.tool_calls or ()
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Paris"})
    result = {"role": "tool", "tool_call_id": call.id, "content": '{"temperature": 21, "conditions": "sunny"}'}
    second = client.chat.completions.create(
        model="pony", messages=[*QUESTION, choice.message, result], tools=[WEATHER], temperature=0
    )
    assert second.choices[0].finish_reason == "stop"
    assert "sunny" in (second.choices[0].message.content or "")


def test_a_stream_of_calls_says_what_the_whole_answer_says(http: httpx2.Client) -> None:
    """The id and the name come once and first; arguments are put together by whoever listens."""
    body = {"model": "pony", "messages": QUESTION, "tools": [WEATHER], "temperature": 0}
    whole = shapes.chat_completion(http.post(CHAT, json=body).content)
    (told,) = whole.choices[0].message.tool_calls or ()
    response = http.post(CHAT, json=body | {"stream": True})
    chunks = [shapes.chat_chunk(data) for data in shapes.events(response.text)]
    assert all(len(chunk.choices[0].delta.tool_calls or ()) <= 1 for chunk in chunks)
    pieces = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    names = [piece.function.name for piece in pieces if piece.function and piece.function.name]
    arguments = "".join(piece.function.arguments or "" for piece in pieces if piece.function)
    assert told.type == "function"
    assert (names, arguments) == ([told.function.name], told.function.arguments)
    assert [piece.id is not None for piece in pieces] == [True] + [False] * (len(pieces) - 1)
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("none", None),
        ("required", {"get_weather", "get_time"}),
        ({"type": "function", "function": {"name": "get_time"}}, {"get_time"}),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [WEATHER]}},
            {"get_weather"},
        ),
    ],
)
def test_whether_a_tool_is_called_can_be_said(http: httpx2.Client, choice: Any, called: set[str] | None) -> None:
    """For a question that no tool is for: what is required is called nevertheless, and what is not allowed never."""
    body = {"model": "pony", "messages": SUM, "tools": [WEATHER, TIME], "tool_choice": choice, "temperature": 0}
    answer = shapes.chat_completion(http.post(CHAT, json=body | {"max_tokens": 120}).content).choices[0]
    names = {call.function.name for call in answer.message.tool_calls or () if call.type == "function"}
    assert names <= called if called else not names
    assert bool(names) == (called is not None)


def test_a_thought_stands_apart_and_can_be_given_back(http: httpx2.Client) -> None:
    """`reasoning_content` is what clients of open models know; `chat_template_kwargs` is the older way to ask for it."""
    for asked in ({"reasoning_effort": "high"}, {"chat_template_kwargs": {"enable_thinking": True}}):
        body = {"model": "pony", "messages": SUM, "temperature": 0} | asked
        told = http.post(CHAT, json=body).json()
        message = told["choices"][0]["message"]
        assert "3 + 4" in message["reasoning_content"]
        assert "7" in message["content"]
        assert "think>" not in message["content"] + message["reasoning_content"]
        assert told["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
        chunks = [json.loads(data) for data in shapes.events(http.post(CHAT, json=body | {"stream": True}).text)]
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
        assert "".join(delta.get("reasoning_content", "") for delta in deltas) == message["reasoning_content"]
        assert "".join(delta.get("content", "") for delta in deltas) == message["content"]
        again = http.post(CHAT, json=body | {"messages": [*SUM, message, *SUM]})
        assert shapes.chat_completion(again.content).choices


@pytest.mark.parametrize("effort", [None, "none"])
def test_nobody_thinks_unasked(http: httpx2.Client, effort: str | None) -> None:
    body = {"model": "pony", "messages": SUM, "temperature": 0, "reasoning_effort": effort}
    message = http.post(CHAT, json=body).json()["choices"][0]["message"]
    assert "reasoning_content" not in message
    assert "7" in message["content"]
