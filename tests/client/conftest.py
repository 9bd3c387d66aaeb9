"""A machine with the built-in models and a hub, and a server of it."""

from collections.abc import Generator
from pathlib import Path

import pytest

from paddock.app import BUILTIN_MODELS
from tests.client.serving import RunningServer
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models
from tests.library.rooms import Site


@pytest.fixture
def hub() -> Generator[HuggingFaceHub]:
    """A hub with one small model."""
    with HuggingFaceHub() as hub:
        hub.add_repo("org/tiny", models.mlx(), license="apache-2.0", tags=("mlx",), pipeline_tag="text-generation")
        yield hub


@pytest.fixture
def site(tmp_path: Path, hub: HuggingFaceHub) -> Site:
    """A machine with the models that come with the package, and that hub."""
    return Site(tmp_path, hub, BUILTIN_MODELS)


@pytest.fixture
def server(site: Site) -> Generator[RunningServer]:
    """The server of that machine."""
    with RunningServer(site) as server:
        yield server
