"""One `paddock serve` for all clients, as people start it."""

from collections.abc import Generator

import pytest

from tests.fakes.ollama import OllamaRegistry
from tests.library import models
from tests.server.running import Process, running


@pytest.fixture(scope="session")
def registry() -> Generator[OllamaRegistry]:
    """Where clients pull from."""
    weights = models.gguf(kib=64)
    with OllamaRegistry() as registry:
        for tag in ("latest", "chatty"):
            registry.add_model(f"tiny:{tag}", {"model": weights, "template": tag.encode(), "license": b"MIT"})
        yield registry


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, registry: OllamaRegistry) -> Generator[Process]:
    """The program itself, with the models that come with it."""
    with running(tmp_path_factory.mktemp("clients"), PADDOCK_HUB__OLLAMA_REGISTRY=registry.url) as server:
        yield server
