"""What Ollama's API refuses: by name, with a remedy, in the one shape that its clients read, before a model is loaded."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from paddock.library.pulling.plan import PullOptions
from tests.library import models
from tests.server.openai_server import Running

ASKED = [{"role": "user", "content": "What is 3 plus 4?"}]
TOOL = {"type": "function", "function": {"name": "f"}}
CALL = {"function": {"name": "f", "arguments": {}}}
RESULT = {"role": "tool", "content": "1"}

CHAT: list[tuple[dict[str, Any], str]] = [
    ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
    ({"messages": [{**ASKED[0], "images": ["aGk="]}]}, "reads no images"),
    ({"messages": [*ASKED, RESULT]}, "messages[1]"),
    ({"messages": [*ASKED, {"role": "assistant", "tool_calls": [CALL]}, RESULT, RESULT]}, "messages[3]"),
    ({"messages": [*ASKED, {"role": "assistant", "tool_calls": [CALL]}, {**RESULT, "tool_name": "g"}]}, "`g`"),
    ({"messages": [{**ASKED[0], "tool_calls": [CALL]}]}, "Only the assistant calls tools"),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]},
        "arguments` is no object",
    ),
    ({"tools": [TOOL, TOOL]}, "Two tools are called `f`"),
    ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools"),
    ({"format": "yaml"}, "format"),
    ({"think": "a lot"}, "think"),
    ({"keep_alive": "soon"}, "keep_alive"),
    ({"options": {"mirostat": 2}}, "options.mirostat"),
    ({"options": {"typical_p": 0.5}}, "options.typical_p"),
    ({"options": {"temperature": "hot"}}, "temperature"),
    ({"options": {"temperature": -1}}, "temperature"),
    ({"options": {"num_predict": 1.5}}, "num_predict"),
    ({"options": {"top_p": 2}}, "top_p"),
    ({"options": {"stop": [""]}}, "stop"),
    ({"options": []}, "options"),
    ({"top_logprobs": 3}, "top_logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ({"stream": "yes"}, "stream"),
    ({"model": None}, "`model` is missing"),
]
GENERATE: list[tuple[dict[str, Any], str]] = [
    ({"template": "{{ .Prompt }}"}, "`template` is not taken"),
    ({"suffix": "end"}, "`suffix` is not taken"),
    ({"images": ["aGk="]}, "reads no images"),
    ({"raw": True, "system": "x"}, "`system` has no place"),
    ({"raw": True, "context": [1]}, "`context` has no place"),
    ({"context": [1, 2, 3]}, "`context` was not made by this server"),
    ({"context": [5267812, -1]}, "`context` was not made by this server"),
    ({"context": [5267812, 2**31]}, "`context` was not made by this server"),
    ({"context": [5267812, 0]}, "`context` was not made by this server"),
    ({"width": 512}, "width"),
]
MANAGE: list[tuple[str, str, dict[str, Any], int]] = [
    ("POST", "/api/show", {"model": "ponny"}, 404),
    ("POST", "/api/show", {}, 400),
    ("DELETE", "/api/delete", {"model": "ponny"}, 404),
    ("DELETE", "/api/delete", {"model": "pony"}, 400),
    ("POST", "/api/copy", {"source": "ponny", "destination": "x"}, 404),
    ("POST", "/api/copy", {"source": "pony"}, 400),
    ("POST", "/api/copy", {"source": "pony", "destination": "foal"}, 400),
    ("POST", "/api/copy", {"source": "pony", "destination": "../x"}, 400),
    ("POST", "/api/pull", {}, 400),
    ("POST", "/api/pull", {"model": "pony", "insecure": True}, 400),
    ("POST", "/api/embed", {"model": "pony", "input": "x"}, 400),
    ("POST", "/api/create", {"model": "x"}, 404),
    ("GET", "/api/chat", {}, 405),
]


def refused(answer: httpx2.Response) -> str:
    """The text, which is all that these clients show; the code and the hint are for programs."""
    body = answer.json()
    assert set(body) == {"error", "code", "hint"}
    assert body["hint"] in body["error"]
    return body["error"]


@pytest.mark.parametrize(("body", "said"), CHAT, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("stream", [True, False])
def test_a_chat_that_cannot_be_is_a_400_that_names_what(
    http: httpx2.Client, body: dict[str, Any], said: str, stream: bool
) -> None:
    answer = http.post("/api/chat", json={"model": "pony", "messages": ASKED, "stream": stream, **body})
    assert answer.status_code == 400
    assert said in refused(answer)


@pytest.mark.parametrize(("body", "said"), GENERATE, ids=lambda value: value if isinstance(value, str) else "")
def test_a_prompt_that_cannot_be_is_a_400_that_names_what(http: httpx2.Client, body: dict[str, Any], said: str) -> None:
    answer = http.post("/api/generate", json={"model": "pony", "prompt": "x", **body})
    assert answer.status_code == 400
    assert said in refused(answer)


@pytest.mark.parametrize(("method", "path", "body", "status"), MANAGE)
def test_the_small_requests_refuse_in_the_same_shape(
    http: httpx2.Client, method: str, path: str, body: dict[str, Any], status: int
) -> None:
    answer = http.request(method, path, json=body)
    assert answer.status_code == status
    refused(answer)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"model": NaN}', b"[" * 100_000])
def test_a_body_that_is_no_object_is_a_400(http: httpx2.Client, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    assert http.post("/api/chat", content=content, headers=headers).status_code == 400


@pytest.mark.parametrize(
    "name",
    [
        "evil.example/library/tiny",
        "localhost/library/tiny",
        "localhost:1234/tiny",
        "127.0.0.1/x/tiny",
        "[::1]/x/tiny",
        "ollama://evil.example/x/tiny",
        "https://evil.example/model.gguf",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "hf.co@evil.example/x/tiny",
        "../../etc/passwd",
    ],
)
def test_a_request_cannot_choose_whom_this_machine_asks(http: httpx2.Client, name: str) -> None:
    """Registries are settings of the owner: a request could otherwise reach whatever this machine reaches."""
    answer = http.post("/api/pull", json={"model": name})
    assert answer.status_code == 400
    refused(answer)


def test_nothing_that_is_refused_loads_a_model(http: httpx2.Client, server: Running) -> None:
    """A model takes seconds and memory; a mistake must cost neither."""
    server.ask(lambda: server.rooms.pool.unload("pony", force=True))
    for body, _ in CHAT:
        http.post("/api/chat", json={"model": "pony", "messages": ASKED, **body})
    assert "pony:latest" not in [model["name"] for model in http.get("/api/ps").json()["models"]]


def test_a_model_that_is_not_here_has_near_names(http: httpx2.Client) -> None:
    answer = http.post("/api/chat", json={"model": "ponny", "messages": ASKED})
    assert answer.status_code == 404
    assert "`pony`" in refused(answer)


def test_foreign_pages_are_kept_out(http: httpx2.Client) -> None:
    """The edge guards these addresses as all others; the refusal has the shape of this API."""
    answer = http.get("/api/tags", headers={"host": "evil.example"})
    assert answer.status_code == 403
    refused(answer)
    posted = http.post("/api/chat", json={}, headers={"origin": "https://evil.example"})
    assert posted.status_code == 403
    assert http.post("/api/chat", content="{}", headers={"content-type": "text/plain"}).status_code == 415


@pytest.mark.parametrize(("address", "asked"), [("/api/chat", {"messages": ASKED}), ("/api/generate", {"prompt": "x"})])
def test_a_model_that_cannot_think_is_not_asked_to(
    http: httpx2.Client, server: Running, tmp_path: Path, address: str, asked: dict[str, Any]
) -> None:
    """Its answer would come without the thought that was asked for; Ollama refuses that, too. Nothing is loaded for it."""
    template = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    files = {**models.mlx(), "tokenizer_config.json": json.dumps({"chat_template": template}).encode()}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    server.ask(lambda: server.rooms.library.pull(tmp_path.as_uri(), PullOptions(name="plain-speaker")))
    try:
        answer = http.post(address, json={"model": "plain-speaker", "think": True, "stream": False, **asked})
        assert (answer.status_code, answer.json()["error"].partition(".")[0]) == (
            400,
            "`plain-speaker` does not support thinking",
        )
        assert "plain-speaker" not in server.rooms.pool.status().models
    finally:
        server.ask(lambda: server.rooms.library.remove("plain-speaker"))
