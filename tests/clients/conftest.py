"""One `paddock serve` for all clients, as people start it."""

from collections.abc import Generator

import pytest

from tests.server.running import Process, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Process]:
    """The program itself, with the models that come with it."""
    with running(tmp_path_factory.mktemp("clients")) as server:
        yield server
