"""Runners for the tests of one module."""

from collections.abc import AsyncIterator

import pytest_asyncio

from paddock.app import open_fleet
from paddock.fleet.fleet import Fleet, Runner
from tests.runner.embedding.models import PONY_EMBED, minilm, spec_of


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet() -> AsyncIterator[Fleet]:
    async with open_fleet() as fleet:
        yield fleet


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pony(fleet: Fleet) -> Runner:
    """The built-in one."""
    return await fleet.start(spec_of(PONY_EMBED))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def small(fleet: Fleet) -> Runner:
    """MiniLM."""
    return await fleet.start(spec_of(minilm()))
