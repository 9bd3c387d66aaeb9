"""Every test of the database runs on a file and on a server; both must answer the same."""

from pathlib import Path

import pytest

from tests.fakes.postgres import postgres_server, postgres_url

__all__ = ["place", "postgres_server", "postgres_url"]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where an empty database may be opened."""
    if request.param == "sqlite":
        return tmp_path / "data" / "paddock.db"
    return request.getfixturevalue("postgres_url")
