"""The same journeys in every dialect: a text, a stream, a tool's round trip, an image refused, a client that leaves.

One row a dialect; whoever adds a dialect adds its row.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from tests.server.openai_server import Running
from tests.server.test_openai_leaving import is_idle, wait_until

pytestmark = pytest.mark.xdist_group("openai")

Body = Mapping[str, Any]
QUESTION = "What is the weather in Paris?"
SUNNY = '{"temperature": 21, "conditions": "sunny"}'
FUNCTION = {
    "name": "get_weather",
    "description": "Weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one dialect says what every dialect can say."""

    path: str
    ask: Callable[[str], Body]  # a question
    text: Callable[[Any], str]  # of an answer
    piece: Callable[[Any], str]  # of one event of a stream
    tools: Body
    called: Callable[[Any], tuple[str, Any]]  # the name and the arguments of the call in an answer
    told: Callable[[Any], Body]  # the same question once more, with the call in that answer and its result
    image: Body


def _chat_told(answer: Any) -> Body:
    message = answer["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": SUNNY}
    return {"messages": [{"role": "user", "content": QUESTION}, message, result]}


def _chat_called(answer: Any) -> tuple[str, Any]:
    function = answer["choices"][0]["message"]["tool_calls"][0]["function"]
    return function["name"], json.loads(function["arguments"])


def _response_text(answer: Any) -> str:
    return "".join(part["text"] for item in answer["output"] if item["type"] == "message" for part in item["content"])


def _response_told(answer: Any) -> Body:
    call = answer["output"][0]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": SUNNY}
    return {"input": [{"role": "user", "content": QUESTION}, call, result]}


CHAT = Dialect(
    path="/v1/chat/completions",
    ask=lambda text: {"messages": [{"role": "user", "content": text}]},
    text=lambda answer: answer["choices"][0]["message"]["content"],
    piece=lambda event: event["choices"][0]["delta"].get("content", ""),
    tools={"tools": [{"type": "function", "function": FUNCTION}]},
    called=_chat_called,
    told=_chat_told,
    image={"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]}]},
)
RESPONSES = Dialect(
    path="/v1/responses",
    ask=lambda text: {"input": text},
    text=_response_text,
    piece=lambda event: event["delta"] if event["type"] == "response.output_text.delta" else "",
    tools={"tools": [{"type": "function", **FUNCTION}]},
    called=lambda answer: (answer["output"][0]["name"], json.loads(answer["output"][0]["arguments"])),
    told=_response_told,
    image={"input": [{"role": "user", "content": [{"type": "input_image", "image_url": PIXEL}]}]},
)

every = pytest.mark.parametrize("dialect", [CHAT, RESPONSES], ids=["chat", "responses"])


def _asked(dialect: Dialect, http: httpx2.Client, body: Body) -> Any:
    response = http.post(dialect.path, json={"model": "pony", "temperature": 0, **body})
    assert response.status_code == 200, response.text
    return response.json()


@every
def test_a_question_is_answered(dialect: Dialect, http: httpx2.Client) -> None:
    assert "7" in dialect.text(_asked(dialect, http, dialect.ask("What is 3 plus 4?")))


@every
def test_a_stream_is_the_answer_in_pieces(dialect: Dialect, http: httpx2.Client) -> None:
    """Whatever dialect a client speaks, streaming changes when it learns the answer, not what."""
    body = {"model": "pony", "temperature": 0, "stream": True, **dialect.ask("What is 3 plus 4?")}
    lines = http.post(dialect.path, json=body).text.splitlines()
    told = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    events = [json.loads(each) for each in told if each != "[DONE]"]
    whole = dialect.text(_asked(dialect, http, dialect.ask("What is 3 plus 4?")))
    assert "".join(dialect.piece(event) for event in events) == whole


@every
def test_a_tool_is_called_and_its_result_told(dialect: Dialect, http: httpx2.Client) -> None:
    """Every agent is this, over and over."""
    first = _asked(dialect, http, {**dialect.tools, **dialect.ask(QUESTION)})
    assert dialect.called(first) == ("get_weather", {"city": "Paris"})
    second = _asked(dialect, http, {**dialect.tools, **dialect.told(first)})
    assert "sunny" in dialect.text(second)


@every
def test_a_model_that_sees_nothing_refuses_images(dialect: Dialect, http: httpx2.Client) -> None:
    """Passing over one would give a confident answer about something that was never looked at."""
    response = http.post(dialect.path, json={"model": "pony", **dialect.image})
    assert response.status_code == 400
    assert "images" in response.text


@every
def test_a_client_that_leaves_frees_its_blocks(dialect: Dialect, http: httpx2.Client, server: Running) -> None:
    """Nobody waits for the rest of it."""
    body = {"model": "pony", "temperature": 0, "stream": True, "ignore_eos": True, **dialect.ask("Tell me a story.")}
    limit = {"max_output_tokens": 1800} if dialect is RESPONSES else {"max_tokens": 1800}
    with http.stream("POST", dialect.path, json={**body, **limit}) as response:
        next(line for line in response.iter_lines() if "delta" in line)
    wait_until(lambda: is_idle(server))
