"""Fixtures for tests of the command line; running.py says what they are."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.cli.running import Cli
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models
from tests.library.rooms import Site, no_bundle


@pytest.fixture
def hub() -> Generator[HuggingFaceHub]:
    """A hub with one small model."""
    with HuggingFaceHub() as hub:
        hub.add_repo("org/tiny", models.mlx(), license="apache-2.0", tags=("mlx",), pipeline_tag="text-generation")
        yield hub


@pytest.fixture
def site(tmp_path: Path, hub: HuggingFaceHub) -> Site:
    """A machine without models, and that hub."""
    return Site(tmp_path, hub, no_bundle(tmp_path / "builtin"))


@pytest.fixture
def cli(site: Site) -> Cli:
    """The program on that machine."""
    return Cli(site)
