"""What goes wrong at `/v1/messages`, as Anthropic's clients read it: a kind of error for each status, and its reason."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest

from paddock.errors import (
    Defect,
    Draining,
    KeyMissing,
    ModelNotFound,
    NoRoom,
    NotEnoughMemory,
    Overloaded,
    PaddockError,
    RunnerCrashed,
    TooLarge,
    UsageError,
)
from paddock.server.problems import anthropic_error, anthropic_status, problem
from tests.server import anthropic_shapes as shapes
from tests.server.openai_server import Running
from tests.server.running import served

pytestmark = pytest.mark.xdist_group("openai")

HELLO: Any = [{"role": "user", "content": "Hello"}]
BODY: Any = {"model": "pony", "messages": HELLO, "max_tokens": 1}
IMAGE: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}


@pytest.fixture
def claude(server: Running) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0, timeout=60) as client:
        yield client


def test_a_model_that_is_not_here_is_a_404(claude: anthropic.Anthropic) -> None:
    """Also for Anthropic's own names, unless one is an alias here."""
    for stream in (False, True):
        with pytest.raises(anthropic.NotFoundError) as failed:
            claude.messages.create(model="claude-opus-5", messages=HELLO, max_tokens=1, stream=stream)
        assert (failed.value.type, failed.value.error_code) == ("not_found_error", "model_not_found")
        assert failed.value.request_id
        assert "claude-opus-5" in (failed.value.api_message or "")
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.count_tokens(model="claude-opus-5", messages=HELLO)


def test_an_image_is_refused_by_a_model_of_text(claude: anthropic.Anthropic) -> None:
    asked: Any = [{"role": "user", "content": [IMAGE, {"type": "text", "text": "What is it?"}]}]
    with pytest.raises(anthropic.BadRequestError, match="`pony` reads no images"):
        claude.messages.create(model="pony", messages=asked, max_tokens=1)


def test_what_anthropic_runs_itself_is_refused_by_name(claude: anthropic.Anthropic) -> None:
    search: Any = [{"type": "web_search_20260318", "name": "web_search"}]
    with pytest.raises(anthropic.BadRequestError, match="web_search_20260318"):
        claude.messages.create(model="pony", messages=HELLO, max_tokens=1, tools=search)


def test_a_prompt_beyond_the_context_says_both_numbers(claude: anthropic.Anthropic) -> None:
    """Whole or as an event of a stream that has begun; counting it is no error."""
    long: Any = [{"role": "user", "content": "horse " * 5000}]
    with pytest.raises(anthropic.BadRequestError, match=r"\d{4,} tokens; the context holds 2048") as failed:
        claude.messages.create(model="pony", messages=long, max_tokens=1)
    assert failed.value.type == "invalid_request_error"
    with pytest.raises(anthropic.APIStatusError, match="the context holds 2048") as streamed:
        list(claude.messages.create(model="pony", messages=long, max_tokens=1, stream=True))
    assert streamed.value.type == "invalid_request_error"
    assert claude.messages.count_tokens(model="pony", messages=long).input_tokens > 5000


def test_versions_and_betas(http: httpx2.Client) -> None:
    """Plain programs leave the version out; agents send betas that nobody here has heard of."""
    for headers in ({}, {"anthropic-version": "2023-06-01"}, {"anthropic-beta": "levitation-2030-01-01"}):
        assert http.post("/v1/messages?beta=true", json=BODY, headers=headers).status_code == 200
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        response = http.post(path, json=BODY, headers={"anthropic-version": "2022-01-01"})
        assert response.status_code == 400
        told = shapes.error(response.content)
        assert "anthropic-version: 2022-01-01" in told.error.message
        assert told.request_id == response.headers["request-id"]


def test_fields_that_nobody_knows_are_named_in_a_header(http: httpx2.Client) -> None:
    """A misspelled setting does nothing; the header says which."""
    response = http.post("/v1/messages", json=BODY | {"temprature": 1, "context_management": {"edits": []}})
    assert response.headers["x-paddock-ignored"] == "temprature, context_management"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model": NaN}', b'{"model": "\\ud800"}', b"[" * 100_000])
def test_bytes_that_are_no_request_are_refused_in_the_same_form(http: httpx2.Client, body: bytes) -> None:
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        response = http.post(path, content=body, headers={"content-type": "application/json"})
        assert response.status_code == 400
        assert shapes.error(response.content).error.type == "invalid_request_error"


def test_other_ways_of_asking_are_told_in_the_same_form(http: httpx2.Client) -> None:
    """Whoever gets an answer below this path reads this dialect."""
    for response, status, kind in (
        (http.get("/v1/messages"), 405, "invalid_request_error"),
        (http.post("/v1/messages/batches", json=BODY), 404, "not_found_error"),
        (http.post("/v1/messages", content=b"{}"), 415, "invalid_request_error"),
    ):
        assert response.status_code == status
        assert shapes.error(response.content).error.type == kind
        assert response.headers["request-id"]


async def test_the_edge_speaks_this_dialect_too(tmp_path: Path) -> None:
    """Keys and sizes are judged before a route is reached."""
    async with (
        served(tmp_path, admin_key="secret", PADDOCK_IMAGES__BODY_BYTES_MAX="2KB") as server,
        anthropic.AsyncAnthropic(base_url=server.address, api_key="wrong", max_retries=0) as stranger,
        anthropic.AsyncAnthropic(base_url=server.address, api_key="secret", max_retries=0) as friend,
    ):
        with pytest.raises(anthropic.AuthenticationError) as unknown:
            await stranger.messages.count_tokens(model="pony", messages=HELLO)
        assert unknown.value.type == "authentication_error"
        assert (await friend.messages.count_tokens(model="pony", messages=HELLO)).input_tokens > 0
        keyed = await server.client.post("/v1/messages/count_tokens", json=BODY, headers={"x-api-key": "secret"})
        assert keyed.status_code == 200
        with pytest.raises(anthropic.ContentTooLargeError) as large:
            await friend.messages.count_tokens(model="pony", messages=[{"role": "user", "content": "x" * 3000}])
        assert large.value.body == {
            "type": "error",
            "error": {
                "type": "request_too_large",
                "message": large.value.api_message,
                "details": {"error_code": "too_large"},
            },
            "request_id": large.value.request_id,
        }


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (UsageError("x", hint="y"), 400, "invalid_request_error"),
        (KeyMissing("x", hint="y"), 401, "authentication_error"),
        (ModelNotFound("x", hint="y"), 404, "not_found_error"),
        (TooLarge("x", hint="y"), 413, "request_too_large"),
        (Overloaded("x", hint="y", retry_after_s=2), 429, "rate_limit_error"),
        (Defect("x", hint="y"), 500, "api_error"),
        (RunnerCrashed("x", hint="y"), 502, "api_error"),
        (NotEnoughMemory("x", hint="y"), 507, "api_error"),
        (NoRoom("x", hint="y"), 529, "overloaded_error"),
        (Draining("x", hint="y"), 529, "overloaded_error"),
    ],
)
def test_each_failure_has_the_kind_that_clients_act_on(error: PaddockError, status: int, kind: str) -> None:
    """They wait and try again after some, and never after others."""
    told = problem(error, path="/v1/messages", request_id="req-1")
    assert (told.status, told.headers["request-id"]) == (anthropic_status(error), "req-1") == (status, "req-1")
    assert json.loads(told.body) == anthropic_error(error, request_id="req-1")
    assert json.loads(told.body)["error"]["type"] == kind
    if status == 429:
        assert told.headers["retry-after"] == "2"
    if kind != "request_too_large":  # documented, and not among the client's types
        shapes.error(told.body)


def test_openai_s_clients_keep_their_own_form(http: httpx2.Client) -> None:
    """Both dialects live below `/v1`."""
    told = http.post("/v1/chat/completions", json={"model": "nowhere", "messages": HELLO}).json()
    assert set(told) == {"error"}
