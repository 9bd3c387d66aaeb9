"""All dialects answer as `/openapi.json` says, whatever is sent: the drive of the admin API, with a real model."""

import os
from collections.abc import Generator
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings, strategies
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.server.openai_server import Running, running_server

EXAMPLES: Final = 100 if os.environ.get("PADDOCK_SOAK") else 3
TOKENS_MAX: Final = 4
CHECKS: Final = [status_code_conformance, content_type_conformance]
MESSAGES: Final = [{"role": "user", "content": "Hi"}]
# By chance nearly every body breaks some rule; these break none.
SOUND: Final[dict[str, dict[str, Any]]] = {
    "/v1/chat/completions": {"messages": MESSAGES, "max_tokens": TOKENS_MAX},
    "/v1/completions": {"prompt": "Hi", "max_tokens": TOKENS_MAX},
    "/v1/responses": {"input": "Hi", "max_output_tokens": 16},
    "/v1/responses/input_tokens": {"input": "Hi"},
    "/v1/messages": {"messages": MESSAGES, "max_tokens": TOKENS_MAX},
    "/v1/messages/count_tokens": {"messages": MESSAGES},
    "/api/chat": {"messages": MESSAGES, "options": {"num_predict": TOKENS_MAX}},
    "/api/generate": {"prompt": "Hi", "options": {"num_predict": TOKENS_MAX}},
    "/v1/embeddings": {"input": "Hi", "model": "pony-embed"},
    "/api/embed": {"input": "Hi", "model": "pony-embed"},
    "/api/embeddings": {"prompt": "Hi", "model": "pony-embed"},
    "/api/show": {},
    "/api/copy": {"source": "foal", "destination": "foal-again"},
}
STREAMED: Final = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/api/chat",
    "/api/generate",
)
HUB: Final = frozenset({"/api/pull"})  # asks a hub, which is not there
REFUSED: Final = frozenset({"/api/delete", "/api/pull"})  # built-in models stay, and no hub is there
LIMITS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens", "n", "best_of", "keep_alive")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """It has the model in memory before it is asked."""
    with running_server(tmp_path_factory.mktemp("described"), flags={"options.max_tokens": TOKENS_MAX}) as server:
        server.ask(lambda: server.rooms.pool.load("pony"))
        yield server


@pytest.fixture(scope="module")
def description(server: Running) -> Any:
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json").include(path_regex="^/(v1|api)/")


@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
@given(data=strategies.data())
def drive(operation: Any, kind: str, answered: list[int], data: strategies.DataObject) -> None:
    """Some requests to one operation. Names of models that nobody has are told elsewhere: here one that is there."""
    case: schemathesis.Case = data.draw(operation.as_strategy())
    if isinstance(case.body, dict):
        case.body = body_of(operation.path, kind, case.body, data)
    elif "name" in case.path_parameters:
        case.path_parameters["name"] = data.draw(strategies.sampled_from(["pony", case.path_parameters["name"]]))
    response = case.call(timeout=120)
    assert response.status_code < (503 if operation.path in HUB else 500), response.text
    streamed = response.headers.get("content-type", [""])[0].startswith(("text/event-stream", "application/x-ndjson"))
    # OpenAPI 3.1 says what a stream holds in words only; its chunks are checked against the official types elsewhere.
    case.validate_response(response, checks=CHECKS if streamed else [*CHECKS, response_schema_conformance])
    answered.append(response.status_code)


def body_of(path: str, kind: str, drawn: dict[str, Any], data: strategies.DataObject) -> dict[str, Any]:
    """What was drawn, or what is sound, or both; never more work than a test has time for."""
    sound = SOUND.get(path, {}) if kind != "drawn" else {}
    body = {**(drawn if kind != "sound" else {}), **sound}
    if path in STREAMED and kind == "sound":
        body["stream"] = data.draw(strategies.booleans())
    for name in LIMITS:
        if name not in sound:
            body.pop(name, None)
    return body | {"model": sound.get("model", "pony")}


def test_every_operation_of_every_dialect_answers_as_it_is_described(description: Any) -> None:
    """No 5xx, no status, no content type and no shape that the description does not have; and some are real answers."""
    driven: dict[str, list[int]] = {}
    for found in description.get_all_operations():
        operation = found.ok()
        for kind in ("sound", "drawn", "both") if operation.path in SOUND else ("drawn",):
            drive(operation, kind, driven.setdefault(f"{operation.method} {operation.path}", []))
    assert SOUND.keys() <= {operation.partition(" ")[2] for operation in driven}
    for operation, answered in driven.items():
        path = operation.partition(" ")[2]
        if path not in REFUSED and "{response_id}" not in path and (path in SOUND or operation.startswith("get")):
            assert 200 in answered, (operation, answered)
