"""OpenAI's routes answer as `/openapi.json` says, whatever is sent: the drive of the admin API, with a real model."""

from collections.abc import Generator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings, strategies
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.server.openai_server import Running, running_server

CHECKS = [status_code_conformance, content_type_conformance]
PATHS = "^/v1/(chat/completions|completions|models)"
TOKENS_MAX = 4


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """It has the model in memory before it is asked."""
    with running_server(tmp_path_factory.mktemp("described"), flags={"options.max_tokens": TOKENS_MAX}) as server:
        server.ask(lambda: server.rooms.pool.load("pony"))
        yield server


@pytest.fixture(scope="module")
def description(server: Running) -> Any:
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json").include(path_regex=PATHS)


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
@given(data=strategies.data())
def drive(operation: Any, answered: list[int], data: strategies.DataObject) -> None:
    """Some requests to one operation. Names of models that nobody has are told elsewhere: here one that is there."""
    case: schemathesis.Case = data.draw(operation.as_strategy())
    if isinstance(case.body, dict):
        if data.draw(
            strategies.booleans()
        ):  # by chance nearly every body breaks some rule; here is one that breaks none
            text, stream = data.draw(strategies.text(min_size=1, max_size=20)), data.draw(strategies.booleans())
            said = {"messages": [{"role": "user", "content": text}]} if "chat" in operation.path else {"prompt": text}
            case.body = said | {"stream": stream}
        case.body |= {"model": "pony", "max_tokens": TOKENS_MAX}
        case.body.pop("max_completion_tokens", None)
    elif "name" in case.path_parameters:
        case.path_parameters["name"] = data.draw(strategies.sampled_from(["pony", case.path_parameters["name"]]))
    response = case.call(timeout=60)
    assert response.status_code < 500, response.text
    streamed = response.headers["content-type"][0].startswith("text/event-stream")
    # OpenAPI 3.1 says what a stream holds in words only; its chunks are checked against the official types elsewhere.
    case.validate_response(response, checks=CHECKS if streamed else [*CHECKS, response_schema_conformance])
    answered.append(response.status_code)


def test_every_operation_of_openai_answers_as_it_is_described(description: Any) -> None:
    """No 5xx, no status, no content type and no shape that the description does not have; and some are real answers."""
    driven: dict[str, list[int]] = {}
    for found in description.get_all_operations():
        operation = found.ok()
        drive(operation, driven.setdefault(f"{operation.method} {operation.path}", []))
    assert len(driven) == 4, list(driven)
    for operation, answered in driven.items():
        assert 200 in answered, (operation, answered)
