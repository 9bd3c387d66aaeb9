"""Every test of rows runs on a file and on a server; both must answer the same."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from paddock.db.engine import Database
from paddock.gateway.rule_book import RuleBook
from tests.fakes.postgres import postgres_server, postgres_url
from tests.library.rooms import Clock

__all__ = ["clock", "database", "place", "postgres_server", "postgres_url", "rules"]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where an empty database may be opened."""
    if request.param == "sqlite":
        return tmp_path / "data" / "paddock.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
async def database(place: str | Path) -> AsyncGenerator[Database]:
    async with await Database.open(place) as database:
        yield database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rules(database: Database, clock: Clock) -> RuleBook:
    """An empty book."""
    return RuleBook(database, now=clock.now, clock=clock)
