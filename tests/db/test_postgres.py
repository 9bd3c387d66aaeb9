"""A server that cannot be reached is an error with a next step, and never shows the password."""

import time

import pytest

from paddock.db.engine import Database
from paddock.errors import StorageError
from tests.fakes.postgres import PASSWORD, PostgresServer

pytestmark = pytest.mark.postgres


async def test_a_wrong_password_is_a_storage_error(postgres_server: PostgresServer) -> None:
    with pytest.raises(StorageError, match="does not answer") as caught:
        await Database.open(postgres_server.url("postgres", password="wrong-secret"))
    assert "wrong-secret" not in f"{caught.value.message}{caught.value.hint}"
    assert "database.url" in caught.value.hint


async def test_an_unknown_database_is_a_storage_error(postgres_server: PostgresServer) -> None:
    with pytest.raises(StorageError, match="nowhere") as caught:
        await Database.open(postgres_server.url("nowhere"))
    assert PASSWORD not in caught.value.message


async def test_a_server_that_is_not_there_is_a_storage_error() -> None:
    start = time.monotonic()
    with pytest.raises(StorageError, match="does not answer"):
        await Database.open("postgresql://paddock:x@127.0.0.1:1/paddock")
    assert time.monotonic() - start < 10


async def test_a_connection_that_the_server_ended_is_made_anew(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    """Servers are restarted; Paddock's must not be."""
    async with await Database.open(postgres_url) as database:
        async with database.session():
            pass
        name = postgres_url.rpartition("/")[2]
        postgres_server.run_sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        async with database.session(exclusive=True):
            pass
