"""What OpenAI's endpoints refuse: always a 400 that names the field, never a 5xx, and the server answers on."""

import json
from typing import Any

import httpx2
import openai
import pytest

from paddock.app import BUILTIN_MODELS
from tests.server.openai_server import Running

pytestmark = pytest.mark.xdist_group("openai")

HELLO = [{"role": "user", "content": "Hello"}]
CHAT, TEXT = "/v1/chat/completions", "/v1/completions"

CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
HUGE = {"type": "object", "description": "x" * 1_000_000}

WRONG: list[tuple[str, Any]] = [
    ("temperature", 7),
    ("temperature", "0"),
    ("temperature", True),
    ("top_p", -0.1),
    ("top_k", 1.5),
    ("min_p", 2),
    ("repetition_penalty", 0),
    ("presence_penalty", 3),
    ("n", 0),
    ("n", 10**30),
    ("n", 129),
    ("max_tokens", 0),
    ("max_tokens", 2**63),
    ("max_completion_tokens", -1),
    ("seed", 2**64),
    ("seed", 1.5),
    ("stop", ["a"] * 33),
    ("stop", ["x" * 1025]),
    ("stop", ""),
    ("stop", [["a"]]),
    ("stop", [str(number) for number in range(1_000_000)]),
    ("stop_token_ids", [-1]),
    ("logit_bias", {"300": 101}),
    ("logit_bias", {"4096": 1}),
    ("logit_bias", {"horse": 1}),
    ("logit_bias", {str(number): 1 for number in range(1025)}),
    ("top_logprobs", 5),
    ("stream", "yes"),
    ("stream_options", {"include_usage": True}),
    ("service_tier", "gold"),
    ("priority", "urgent"),
    ("priority", 10**20),
    ("keep_alive", "a while"),
    ("user", "u" * 513),
    ("metadata", {str(number): "x" for number in range(17)}),
    ("chat_template_kwargs", {"messages": []}),
    ("chat_template_kwargs", {"size": 2**70}),
    ("chat_template_kwargs", {"text": "x" * 70_000}),
    ("store", True),
    ("tools[0].function", [{"type": "function"}]),
    ("tools[0].type", [{"type": "web_search"}]),
    ("tools[0].function.name", [{"type": "function", "function": {"name": "a b"}}]),
    ("tools[0].function.parameters", [{"type": "function", "function": {"name": "f", "parameters": HUGE}}]),
    (
        "tools[0].function.parameters",
        [{"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}],
    ),
    ("tools", [{"type": "function", "function": {"name": "f"}}] * 2),
    ("tool_choice", {"type": "function", "function": {"name": "nobody"}}),
    ("tool_choice", {"type": "custom"}),
    ("tool_choice", "required"),
    ("functions", [{"name": "f"}]),
    ("function_call", {"name": "f"}),
    ("response_format", {"type": "xml"}),
    ("response_format", {"type": "json_schema", "json_schema": {"name": "x"}}),
    ("guided_choice", []),
    ("guided_json", "{"),
    ("structured_outputs", {"structural_tag": "<a>"}),
    ("response_format", "json"),
    ("modalities", ["text", "audio"]),
    ("audio", {"voice": "alloy", "format": "wav"}),
    ("prediction", {"type": "content", "content": "x"}),
    ("reasoning_effort", "utmost"),
    ("chat_template_kwargs", {"enable_thinking": "yes"}),
    ("verbosity", "high"),
    ("web_search_options", {}),
    ("moderation", {"model": "omni"}),
    ("prompt_cache_options", {"mode": "explicit"}),
    ("messages", []),
    ("messages", "Hello"),
    ("messages", [{"role": "user", "content": "Hello"}] * 10_001),
    ("messages[0].role", [{"role": "king", "content": "Hello"}]),
    ("messages[0].tool_call_id", [{"role": "tool", "content": "7", "tool_call_id": "1"}]),
    ("messages[0].tool_call_id", [{"role": "tool", "content": "7"}]),
    ("messages[0].tool_call_id", [{"role": "user", "content": "7", "tool_call_id": "1"}]),
    ("messages[0].role", [{"role": "function", "name": "f", "content": "7"}]),
    ("messages[0].tool_calls", [{"role": "user", "content": "7", "tool_calls": [CALL]}]),
    ("messages[0].tool_calls[1].id", [{"role": "assistant", "tool_calls": [CALL, CALL]}]),
    ("messages[0].reasoning_content", [{"role": "user", "content": "7", "reasoning_content": "Hm."}]),
    ("messages[0].content", [{"role": "user"}]),
    ("messages[0].content", [{"role": "user", "content": 7}]),
    ("messages[0].content[0]", [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]),
    ("messages[0].content[0].image_url", [{"role": "user", "content": [{"type": "image_url"}]}]),
    ("messages[0].content[0].text", [{"role": "user", "content": [{"type": "text"}]}]),
    ("messages[0].tool_calls[0].function", [{"role": "assistant", "content": "x", "tool_calls": [{"id": "1"}]}]),
    ("model", ["pony"]),
]


@pytest.mark.parametrize(("param", "value"), WRONG, ids=lambda value: str(value)[:40])
def test_a_field_that_breaks_a_rule_is_named(http: httpx2.Client, param: str, value: Any) -> None:
    """A 400 that says which field, which rule and what to do: nobody has to guess, and nothing is dropped in silence."""
    response = http.post(CHAT, json={"model": "pony", "messages": HELLO, param.split("[")[0]: value})
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert error["hint"]
    assert len(response.content) < 2000
    assert "Traceback" not in error["message"]


@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("prompt", {}),
        ("prompt", {"prompt": []}),
        ("prompt", {"prompt": ""}),
        ("prompt", {"prompt": "horse " * 3000}),
        ("prompt", {"prompt": ["x"] * 129}),
        ("prompt[1]", {"prompt": ["x", 1]}),
        ("prompt[1][0]", {"prompt": [[1], [-1]]}),
        ("prompt[0]", {"prompt": [[]]}),
        ("prompt", {"prompt": [5000]}),
        ("prompt[1]", {"prompt": [1, 10**20]}),
        ("suffix", {"prompt": "x", "suffix": "y"}),
        ("best_of", {"prompt": "x", "best_of": 21}),
        ("best_of", {"prompt": "x", "best_of": 2, "n": 3}),
        ("best_of", {"prompt": "x", "best_of": 2, "stream": True}),
        ("n", {"prompt": ["x"] * 20, "n": 10}),
        ("echo", {"prompt": [300], "echo": True}),
        ("logprobs", {"prompt": "x", "echo": True, "logprobs": 1}),
        ("logprobs", {"prompt": "x", "logprobs": True}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_completion_s_fields_are_named_too(http: httpx2.Client, param: str, fields: dict[str, Any]) -> None:
    response = http.post(TEXT, json={"model": "pony", **fields})
    assert (response.status_code, response.json()["error"]["param"]) == (400, param), response.text


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b"\xff\xfe", None),
        (b'{"messages": ' + b"[" * 100_000, None),
        (b'{"temperature": NaN}', "temperature"),
        (b'{"temperature": 1e999}', "temperature"),
        (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', "messages[0].content"),
        (b'{"n": ' + b"9" * 5000 + b"}", None),
        (b'{"seed": ' + b"9" * 500 + b"}", "seed"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bytes_that_are_no_json_are_refused(http: httpx2.Client, body: bytes, param: str | None) -> None:
    """Strict JSON: no NaN, no half of a character; where one field is at fault, it is named."""
    response = http.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["error"]["param"]) == (400, param), response.text


def test_a_prompt_beyond_the_context_says_both_numbers(http: httpx2.Client) -> None:
    """Streamed or not, as a real 400: nothing has begun yet."""
    for stream in (False, True):
        messages = [{"role": "user", "content": "horse " * 3000}]
        response = http.post(CHAT, json={"model": "pony", "messages": messages, "stream": stream})
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["param"]) == (400, "context_length_exceeded", "messages")
        assert "3009 tokens" in error["message"]
        assert "2048" in error["message"]


def test_a_name_of_a_megabyte_is_a_404(http: httpx2.Client) -> None:
    response = http.post(CHAT, json={"model": "a" * 1_000_000, "messages": HELLO})
    assert (response.status_code, len(response.content) < 1000) == (404, True)


@pytest.mark.parametrize("form", ["{}", "{}/", "file://{}", "{}/../pony", "/proc/self/root{}"])
def test_a_folder_on_this_machine_is_no_model(http: httpx2.Client, server: Running, form: str) -> None:
    """There is a model in that folder; but what is loaded is what somebody registered, not what a request points to."""
    before = server.rooms.pool.status().counters.loads
    response = http.post(CHAT, json={"model": form.format(BUILTIN_MODELS / "pony"), "messages": HELLO})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
    assert server.rooms.pool.status().counters.loads == before


def test_a_model_that_makes_no_text_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="writes no text"):
        client.chat.completions.create(model="pony-embed", messages=[{"role": "user", "content": "Hi"}])


def test_the_description_of_the_api_has_these_endpoints(http: httpx2.Client) -> None:
    """Clients are generated from it; a reference that leads nowhere would break them."""
    document = http.get("/openapi.json").text
    paths = json.loads(document)["paths"]
    schema = paths[CHAT]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"messages", "top_k", "keep_alive", "stream_options"} <= schema["properties"].keys()
    assert "$defs" not in document


def test_the_server_answers_on_after_all_of_that(http: httpx2.Client, server: Running) -> None:
    """And no block of the cache is left behind."""
    assert http.post(CHAT, json={"model": "pony", "messages": HELLO, "max_tokens": 2}).status_code == 200
    stats = server.ask(server.rooms.pool.stats)
    assert (stats["pony"].running, stats["pony"].waiting, stats["pony"].restarts) == (0, 0, 0)
