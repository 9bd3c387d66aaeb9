"""`/v1/responses` with the official client, over real HTTP, answered by `pony` in a real runner."""

import json
import re
from typing import Any

import httpx2
import openai
import pytest

from tests.server import openai_shapes as shapes

pytestmark = pytest.mark.xdist_group("openai")

RESPONSES = "/v1/responses"
SUM = {"model": "pony", "input": "What is 3 plus 4?", "temperature": 0}
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
QUESTION = {"model": "pony", "input": "What is the weather in Paris?", "temperature": 0, "tools": [WEATHER]}
SUNNY = '{"temperature": 21, "conditions": "sunny"}'


def test_a_response_has_openai_s_shape(http: httpx2.Client) -> None:
    """And what is kept is what was sent."""
    sent = http.post(RESPONSES, json=SUM | {"metadata": {"a": "b"}, "user": "me", "service_tier": "flex"})
    answer = shapes.response(sent.content)
    assert "7" in answer.output_text
    assert (answer.status, answer.model, answer.metadata, answer.service_tier) == (
        "completed",
        "pony",
        {"a": "b"},
        "flex",
    )
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    kept = http.get(f"{RESPONSES}/{answer.id}")
    assert shapes.response(kept.content) == answer


def test_a_stream_says_what_the_whole_response_says(http: httpx2.Client) -> None:
    """Events come in OpenAI's order, each strictly of its shape, and the last has all of it."""
    whole = shapes.response(http.post(RESPONSES, json=SUM).content)
    response = http.post(RESPONSES, json=SUM | {"stream": True})
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    events = shapes.response_events(response.text)
    kinds = [event.type for event in events if event.type != "response.output_text.delta"]
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole.output_text
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == whole.output_text
    assert shapes.response(http.get(f"{RESPONSES}/{last.response.id}").content) == last.response


def test_a_tool_is_called_and_its_output_told_by_item(client: openai.OpenAI) -> None:
    """The whole conversation comes with every request, as agents that keep nothing do it."""
    first = client.responses.create(**QUESTION, store=False)
    (call,) = first.output
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments), call.status) == ("get_weather", {"city": "Paris"}, "completed")
    output = {"type": "function_call_output", "call_id": call.call_id, "output": SUNNY}
    said = [{"role": "user", "content": QUESTION["input"]}, call.model_dump(), output]
    second = client.responses.create(**QUESTION | {"input": said})
    assert "sunny" in second.output_text


def test_a_stream_of_a_call_has_its_arguments_in_order(http: httpx2.Client) -> None:
    events = shapes.response_events(http.post(RESPONSES, json=QUESTION | {"stream": True}).text)
    kinds = [event.type for event in events if event.type != "response.function_call_arguments.delta"]
    assert kinds[2:] == [
        "response.output_item.added",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    pieces = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert json.loads("".join(pieces)) == {"city": "Paris"}


def test_a_later_response_goes_on_from_a_kept_one(client: openai.OpenAI) -> None:
    """Only what is new is sent; the call that it answers is in the response before."""
    first = client.responses.create(**QUESTION)
    call = first.output[0]
    assert call.type == "function_call"
    output: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": SUNNY}]
    second = client.responses.create(**QUESTION | {"input": output}, previous_response_id=first.id)
    assert "sunny" in second.output_text
    assert second.previous_response_id == first.id
    client.responses.delete(first.id)  # forgetting it breaks nothing that went on from it
    third = client.responses.create(**SUM, previous_response_id=second.id)
    assert "7" in third.output_text
    items = client.responses.input_items.list(third.id, order="asc", limit=2)
    kinds = [item.type for item in items]  # the client asks for page after page
    assert kinds == ["message", "function_call", "function_call_output", "message", "message"]


def test_instructions_are_of_one_response_only(client: openai.OpenAI) -> None:
    first = client.responses.create(**SUM, instructions="Be a pirate, and say so at great length in all you say.")
    second = client.responses.create(**SUM, previous_response_id=first.id)
    assert second.instructions is None
    assert {item.type for item in client.responses.input_items.list(second.id)} == {"message"}
    assert all(getattr(item, "role", "") != "system" for item in client.responses.input_items.list(second.id))


def test_an_item_is_found_by_its_reference(client: openai.OpenAI) -> None:
    """Some clients send ids of what was kept in place of what was said."""
    first = client.responses.create(**SUM)
    said: Any = [{"type": "item_reference", "id": first.output[0].id}, {"role": "user", "content": "What is 2 plus 2?"}]
    second = client.responses.create(**SUM | {"input": said})
    assert "4" in second.output_text
    kept = client.responses.input_items.list(second.id, order="asc").data
    assert kept[0].id == first.output[0].id


def test_what_is_not_to_be_kept_is_not(client: openai.OpenAI) -> None:
    answer = client.responses.create(**SUM, store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(answer.id)
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.create(**SUM, previous_response_id=answer.id)
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


def test_a_deleted_response_is_gone(client: openai.OpenAI) -> None:
    answer = client.responses.create(**SUM)
    client.responses.delete(answer.id)
    for gone in (client.responses.retrieve, client.responses.delete, client.responses.input_items.list):
        with pytest.raises(openai.NotFoundError):
            gone(answer.id)


def test_only_the_background_is_cancelled(client: openai.OpenAI) -> None:
    answer = client.responses.create(**SUM)
    with pytest.raises(openai.BadRequestError, match="in the background"):
        client.responses.cancel(answer.id)


def test_a_probe_with_nothing_to_say_is_answered(http: httpx2.Client) -> None:
    """Codex asks so whether anybody is there."""
    for nothing in ("", []):
        body = {"model": "pony", "input": nothing, "max_output_tokens": 1}
        answer = shapes.response(http.post(RESPONSES, json=body).content)
        assert answer.status in ("completed", "incomplete")
        assert answer.usage is not None
        assert answer.usage.output_tokens <= 1


def test_an_answer_that_is_cut_is_incomplete(http: httpx2.Client) -> None:
    body = {"model": "pony", "input": "Tell me a story about a horse.", "max_output_tokens": 5, "temperature": 0}
    answer = shapes.response(http.post(RESPONSES, json=body).content)
    assert answer.incomplete_details is not None
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert answer.output[0].status == "incomplete"
    events = shapes.response_events(http.post(RESPONSES, json=body | {"stream": True}).text)
    assert events[-1].type == "response.incomplete"


def test_a_thought_is_an_item_of_its_own(http: httpx2.Client) -> None:
    """And can be given back, as clients do that keep nothing here."""
    body = SUM | {"reasoning": {"effort": "high", "summary": "auto"}, "store": False}
    response = http.post(RESPONSES, json=body | {"include": ["reasoning.encrypted_content"]})
    assert response.headers["x-paddock-ignored"] == "include.reasoning.encrypted_content, reasoning.summary"
    answer = shapes.response(response.content)
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert answer.usage is not None
    assert answer.usage.output_tokens_details.reasoning_tokens > 0
    events = shapes.response_events(http.post(RESPONSES, json=body | {"stream": True}).text)
    thought = "".join(event.delta for event in events if event.type == "response.reasoning_text.delta")
    said = json.loads(response.content)["output"]
    assert thought == said[0]["content"][0]["text"]
    again = [{"role": "user", "content": SUM["input"]}, *said, {"role": "user", "content": "What is 2 plus 2?"}]
    assert "4" in shapes.response(http.post(RESPONSES, json=body | {"input": again}).content).output_text


def test_tools_that_cannot_run_here_are_passed_over_by_name(http: httpx2.Client) -> None:
    """Codex sends many types at once; whoever must have one is refused."""
    others = [{"type": "web_search"}, {"type": "local_shell"}]
    response = http.post(RESPONSES, json=QUESTION | {"tools": [*others, WEATHER]})
    assert response.headers["x-paddock-ignored"] == "tools.web_search, tools.local_shell"
    answer = shapes.response(response.content)
    assert [tool.type for tool in answer.tools] == ["function"]
    choice = {"type": "web_search"}
    refused = http.post(RESPONSES, json=QUESTION | {"tools": [*others, WEATHER], "tool_choice": choice})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tool_choice")
    assert "web_search" in refused.json()["error"]["message"]
    only_theirs = http.post(RESPONSES, json=QUESTION | {"tools": others, "tool_choice": "required"})
    assert "web_search" in only_theirs.json()["error"]["message"]


PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edit files.",
    "format": {"type": "grammar", "syntax": "regex", "definition": "[A-Z]{3}-[0-9]{2}"},
}


def test_a_custom_tool_takes_a_text_as_it_stands(http: httpx2.Client) -> None:
    """Codex edits files with one: a call comes with its text, of the form it wants, and its output goes back."""
    body = QUESTION | {"tools": [WEATHER, PATCH], "tool_choice": {"type": "custom", "name": "apply_patch"}}
    told = shapes.response(http.post(RESPONSES, json=body).content)
    assert [tool.type for tool in told.tools] == ["function", "custom"]
    (call,) = told.output
    assert call.type == "custom_tool_call"
    assert call.name == "apply_patch"
    assert re.fullmatch("[A-Z]{3}-[0-9]{2}", call.input)
    output = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "done"}
    again = body | {"tool_choice": "none", "input": [output], "previous_response_id": told.id, "max_output_tokens": 9}
    kept = shapes.response(http.post(RESPONSES, json=again).content)
    items = http.get(f"{RESPONSES}/{kept.id}/input_items", params={"order": "asc"}).json()["data"]
    assert [item["type"] for item in items] == ["message", "custom_tool_call", "custom_tool_call_output"]


def test_a_streamed_custom_call_says_what_the_whole_one_says(http: httpx2.Client) -> None:
    """Piece by piece, and then whole."""
    body = QUESTION | {"tools": [PATCH], "tool_choice": "required", "parallel_tool_calls": False}
    events = shapes.response_events(http.post(RESPONSES, json=body | {"stream": True}).text)
    pieces = [event.delta for event in events if event.type == "response.custom_tool_call_input.delta"]
    (done,) = [event for event in events if event.type == "response.custom_tool_call_input.done"]
    (item,) = [event.item for event in events if event.type == "response.output_item.done"]
    assert item.type == "custom_tool_call"
    assert "".join(pieces) == done.input == item.input
    (whole,) = shapes.response(http.post(RESPONSES, json=body).content).output
    assert whole.type == "custom_tool_call"
    assert whole.input == item.input


def test_a_grammar_of_a_custom_tool_is_told_to_the_model(http: httpx2.Client) -> None:
    """Codex describes patches by one; it makes the prompt, and the names of what is not held stand in no header."""
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: /[a-z]+/ " + "x " * 40}
    counts = [
        http.post(f"{RESPONSES}/input_tokens", json=QUESTION | {"tools": [{**PATCH, "format": form}]}).json()[
            "input_tokens"
        ]
        for form in (grammar, {"type": "text"})
    ]
    assert counts[0] > counts[1] + 20


def test_a_call_can_be_required(http: httpx2.Client) -> None:
    chosen: list[Any] = ["required", {"type": "function", "name": "get_weather"}]
    chosen.append({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_weather"}]})
    for choice in chosen:
        answer = shapes.response(http.post(RESPONSES, json=QUESTION | {"tool_choice": choice}).content)
        assert answer.output[-1].type == "function_call"
    answer = shapes.response(http.post(RESPONSES, json=QUESTION | {"tool_choice": "none"}).content)
    assert all(item.type == "message" for item in answer.output)


def test_log_probabilities_spell_the_text(http: httpx2.Client) -> None:
    body = SUM | {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    answer = shapes.response(http.post(RESPONSES, json=body).content)
    (message,) = answer.output
    assert message.type == "message"
    (part,) = message.content
    assert part.type == "output_text"
    assert b"".join(bytes(token.bytes) for token in part.logprobs or ()).decode() == part.text
    assert all(len(token.top_logprobs) == 2 for token in part.logprobs or ())
    events = shapes.response_events(http.post(RESPONSES, json=body | {"stream": True}).text)
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    assert sum(len(event.logprobs) for event in deltas) == len(part.logprobs or ())


def test_a_text_can_be_held_to_a_schema(client: openai.OpenAI) -> None:
    """Structured output of this API is in `text.format`; this schema lets nothing but one answer through."""
    properties = {"colour": {"enum": ["blue"]}, "legs": {"const": 4}}
    schema = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    form: Any = {"format": {"type": "json_schema", "name": "horse", "schema": schema, "strict": True}}
    answer = client.responses.create(**SUM, text=form)
    assert json.loads(answer.output_text) == {"colour": "blue", "legs": 4}
    assert answer.text is not None
    assert answer.text.format is not None
    assert answer.text.format.type == "json_schema"


def test_tokens_of_the_input_are_counted_as_they_are_used(client: openai.OpenAI) -> None:
    body = {name: QUESTION[name] for name in ("model", "input", "tools")}
    counted = client.responses.input_tokens.count(**body)
    answer = client.responses.create(**QUESTION)
    assert answer.usage is not None
    assert counted.input_tokens == answer.usage.input_tokens


def test_what_fails_on_the_way_is_an_event_and_a_failed_response(http: httpx2.Client) -> None:
    """A prompt that is too long is known before the stream begins: it has a status of its own."""
    refused = http.post(RESPONSES, json={"model": "pony", "input": "horse " * 5000, "stream": True})
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "context_length_exceeded"
    assert refused.json()["error"]["param"] == "input"


ITEM = {"type": "message", "role": "user", "content": "Hello"}
CALL = {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"}

WRONG: list[tuple[str, str, Any]] = [
    ("background", "background", True),
    ("conversation", "conversation", "conv_1"),
    ("prompt", "prompt", {"id": "pmpt_1"}),
    ("truncation", "truncation", "auto"),
    ("moderation", "moderation", {"model": "omni"}),
    ("context_management", "context_management", [{"type": "compaction"}]),
    ("max_tokens", "max_tokens", 5),
    ("max_output_tokens", "max_output_tokens", 0),
    ("top_logprobs", "top_logprobs", 21),
    ("input", "input", 7),
    ("input", "input[0].role", [{"role": "king", "content": "Hello"}]),
    ("input", "input[0].role", [{"content": "Hello"}]),
    ("input", "input[0].content", [{"role": "user"}]),
    ("input", "input[0].content[0].image_url", [{"role": "user", "content": [{"type": "input_image"}]}]),
    ("input", "input[0].content[0]", [{"role": "user", "content": [{"type": "input_file", "file_id": "x"}]}]),
    ("input", "input[0].content[0].type", [{"role": "user", "content": [{"type": "smell"}]}]),
    ("input", "input[0].call_id", [{"type": "function_call_output", "call_id": "1", "output": "7"}]),
    ("input", "input[1].call_id", [CALL, CALL]),
    ("input", "input[0].name", [{"type": "function_call", "call_id": "1"}]),
    ("input", "input[0].type", [{"type": "web_search_call", "id": "1"}]),
    ("input", "input[0].id", [{"type": "item_reference", "id": "msg_1"}]),
    ("input", "input", [ITEM] * 10_001),
    ("tools", "tools", [WEATHER, WEATHER]),
    ("tools", "tools[0].name", [WEATHER | {"name": "a b"}]),
    ("tools", "tools[0].name", [{"type": "function"}]),
    ("tools", "tools[0].type", [{"name": "f"}]),
    ("tools", "tools[0].parameters", [WEATHER | {"parameters": {"type": "object", "description": "x" * 1_000_000}}]),
    ("tool_choice", "tool_choice", "required"),
    ("tool_choice", "tool_choice", {"type": "function", "name": "nobody"}),
    ("tool_choice", "tool_choice", {"name": "nobody"}),
    ("text", "text.verbosity", {"verbosity": "low"}),
    ("text", "text.format.type", {"format": {"type": "poem"}}),
    ("text", "text.format.schema", {"format": {"type": "json_schema", "name": "x"}}),
    ("reasoning", "reasoning.effort", {"effort": "utmost"}),
    ("stream_options", "stream_options", {"include_usage": True}),
]


@pytest.mark.parametrize(
    ("field", "param", "value"), WRONG, ids=[f"{param}-{number}" for number, (_, param, _) in enumerate(WRONG)]
)
def test_what_is_refused_is_named(http: httpx2.Client, field: str, param: str, value: Any) -> None:
    """Always a 400 that names the field, never silence and never a 5xx."""
    response = http.post(RESPONSES, json={"model": "pony", "input": "Hello", "max_output_tokens": 2} | {field: value})
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert response.json()["error"]["hint"]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "order=up", "after=nothing"])
def test_a_page_that_cannot_be_is_refused(http: httpx2.Client, query: str) -> None:
    answer = http.post(RESPONSES, json=SUM).json()
    assert http.get(f"{RESPONSES}/{answer['id']}/input_items?{query}").status_code == 400


def test_a_response_tells_how_it_was_made(http: httpx2.Client) -> None:
    """Open Responses wants a number for every setting, also for those that were left to the server."""
    told = http.post(RESPONSES, json={"model": "pony", "input": "hi", "max_output_tokens": 2}).json()
    assert (told["top_p"], told["presence_penalty"], told["frequency_penalty"]) == (1.0, 0.0, 0.0)
    assert isinstance(told["temperature"], float)
    assert (told["top_logprobs"], told["service_tier"], told["store"], told["max_tool_calls"]) == (
        0,
        "default",
        True,
        None,
    )


def test_the_phase_of_a_message_is_kept(http: httpx2.Client) -> None:
    """Codex marks what its model said on the way and what it said in the end, and reads that again."""
    said = {"type": "message", "role": "assistant", "content": "I look it up.", "phase": "commentary"}
    asked = {"type": "message", "role": "user", "content": "hi"}
    kept = http.post(RESPONSES, json={"model": "pony", "input": [said, asked], "max_output_tokens": 2}).json()
    items = http.get(f"{RESPONSES}/{kept['id']}/input_items", params={"order": "asc"}).json()["data"]
    assert [item.get("phase") for item in items] == ["commentary", None]
