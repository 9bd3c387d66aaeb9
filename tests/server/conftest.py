"""One server for the tests of OpenAI's API; openai_server.py says what it is."""

from collections.abc import Generator, Iterator

import httpx2
import openai
import pytest

from tests.server.openai_server import Running, running_server

SETTINGS = {
    "options.max_tokens": 40,
    "options.top_p": 1.0,
    "models.foal.options.max_tokens": 9,
}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """A server that answers with the built-in models."""
    with running_server(tmp_path_factory.mktemp("server"), flags=SETTINGS) as server:
        yield server


@pytest.fixture
def client(server: Running) -> Iterator[openai.OpenAI]:
    """The official client. It tries nothing twice, so that a test sees each failure."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


@pytest.fixture
def http(server: Running) -> Iterator[httpx2.Client]:
    """Plain HTTP to it."""
    with httpx2.Client(base_url=server.url, timeout=60) as http:
        yield http
