"""`/openapi.json` is true: whatever a client made from it sends, the answer is one that it was told of."""

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

from paddock.app import BUILTIN_MODELS
from tests.client.serving import RunningServer
from tests.fakes.huggingface import HuggingFaceHub
from tests.library.rooms import Site


def no_failure_of_ours(_: Any, response: Any, __: Any) -> None:
    """A hub that cannot be asked is the only 5xx that a request here may meet."""
    assert response.status_code < 500 or response.json()["code"] == "hub_unreachable", response.text


CHECKS = [no_failure_of_ours, status_code_conformance, content_type_conformance, response_schema_conformance]
ENDLESS = "/admin/logs/events"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningServer]:
    """A machine without a network."""
    with HuggingFaceHub() as hub:
        site = Site(tmp_path_factory.mktemp("machine"), hub, BUILTIN_MODELS, environment={"HF_HUB_OFFLINE": "1"})
        with RunningServer(site) as server:
            yield server


@pytest.fixture(scope="module")
def description(server: RunningServer) -> Any:
    loaded = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    return loaded.include(path_regex="^/(admin/|healthz|readyz|metrics)").exclude(path=ENDLESS)


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
@given(data=strategies.data())
def drive(operation: Any, data: strategies.DataObject) -> None:
    """Some requests to one operation, as its description allows them."""
    case: schemathesis.Case = data.draw(operation.as_strategy())
    case.call_and_validate(checks=CHECKS, timeout=60)


def test_every_operation_answers_as_it_is_described(description: Any) -> None:
    """No failure of ours, no status, no content type and no shape that the description does not have."""
    driven = 0
    for found in description.get_all_operations():
        drive(found.ok())
        driven += 1
    assert driven > 30


def test_every_operation_has_a_name_a_summary_and_its_failures(description: Any) -> None:
    """Generated clients take their method names and their errors from these."""
    operations = [
        (method, path, operation)
        for path, methods in description.raw_schema["paths"].items()
        if path.startswith("/admin/")
        for method, operation in methods.items()
    ]
    assert len(operations) > 30
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(set(names)) == len(names)
    for method, path, operation in operations:
        assert operation["summary"], (method, path)
        assert operation["description"], (method, path)
        assert {"4XX", "5XX"} <= operation["responses"].keys(), (method, path)
        assert operation["responses"]["4XX"]["content"].keys() == {"application/problem+json"}, (method, path)
        ok = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
        assert "content" in ok, (method, path)
