"""Every test of the conversations runs on a file and on a server; both must answer the same."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from paddock.chats.book import ChatBook
from paddock.db.engine import Database
from tests.chats.books import book_on
from tests.fakes.postgres import postgres_server, postgres_url
from tests.library.rooms import Clock

__all__ = ["book", "clock", "database", "place", "postgres_server", "postgres_url"]


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
def book(database: Database, clock: Clock) -> ChatBook:
    """An empty one."""
    return book_on(database, clock)
