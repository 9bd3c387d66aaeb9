"""Loaded into the SDKs' own test runs instead of their conftest: clients of the server under test, and a line a case.

It stands alone: those runs have their own package `tests`, and nothing of ours on their path but this folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from adapting import Adapting, AsyncAdapting, Journal
from pytest_asyncio import is_async_test

SUITE = os.environ["CONFORMANCE_SUITE"]
BASE_URL = os.environ["TEST_API_BASE_URL"]
JOURNAL = Journal(os.environ["CONFORMANCE_JOURNAL"], json.loads(os.environ["CONFORMANCE_REFUSALS"]))
TIMEOUT_S = 60.0

pytest.register_assert_rewrite("tests.utils")


def pytest_collection_modifyitems(config: pytest.Config, items: list[Any]) -> None:
    """Asynchronous cases share one loop. Those over aiohttp are left out: another transport is no other server."""
    kept, left = [], []
    for item in items:
        if is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        over = getattr(item, "callspec", None) and item.callspec.params.get("async_client")
        (left if isinstance(over, dict) and over.get("http_client") == "aiohttp" else kept).append(item)
    items[:] = kept
    if left:
        config.hook.pytest_deselected(items=left)


@pytest.fixture(autouse=True)
def _one_case() -> None:  # pyright: ignore[reportUnusedFunction]
    JOURNAL.begin()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: Any = yield  # type: ignore[misc]
    if call.when == "call" or report.outcome != "passed":
        said = str(call.excinfo.value)[:600] if call.excinfo is not None else ""
        JOURNAL.write(item.nodeid, report.outcome, said)
    return report


@pytest.fixture(scope="session")
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    strict = getattr(request, "param", True)
    http = httpx2.Client(transport=Adapting(JOURNAL), timeout=TIMEOUT_S)
    with _kinds()[0](**_settings(strict), http_client=http) as client:
        yield client


@pytest.fixture(scope="session")
async def async_client(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    param = getattr(request, "param", True)
    strict = param if isinstance(param, bool) else param.get("strict", True)
    http = httpx2.AsyncClient(transport=AsyncAdapting(JOURNAL), timeout=TIMEOUT_S)
    async with _kinds()[1](**_settings(strict), http_client=http) as client:
        yield client


def _kinds() -> tuple[Any, Any]:
    if SUITE == "openai":
        import openai

        return openai.OpenAI, openai.AsyncOpenAI
    import anthropic

    return anthropic.Anthropic, anthropic.AsyncAnthropic


def _settings(strict: bool) -> dict[str, Any]:
    more = {"admin_api_key": "none"} if SUITE == "openai" else {}
    url = f"{BASE_URL}/v1" if SUITE == "openai" else BASE_URL
    return {
        "base_url": url,
        "api_key": "none",
        "max_retries": 0,
        "_strict_response_validation": strict,
        **more,
    }
