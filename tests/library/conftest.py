"""Fixtures for tests of the library; rooms.py says what they are."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from paddock.library.library import Library
from tests.fakes.huggingface import HuggingFaceHub
from tests.library.rooms import Clock, Site, no_bundle


@pytest.fixture
def hub() -> Generator[HuggingFaceHub]:
    with HuggingFaceHub() as hub:
        yield hub


@pytest.fixture
def site(tmp_path: Path, hub: HuggingFaceHub) -> Site:
    """A machine with an empty disk, a package without built-in models, and a hub to be filled."""
    return Site(tmp_path, hub, no_bundle(tmp_path / "builtin"))


@pytest.fixture
def clock(site: Site) -> Clock:
    return site.clock


@pytest.fixture
async def library(site: Site) -> AsyncGenerator[Library]:
    """The library of `site`. A test that changes the machine first opens its own."""
    async with site.open() as library:
        yield library
