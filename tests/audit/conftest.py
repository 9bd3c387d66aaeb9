"""Every test of the audit runs on a file and on a server; both must answer the same."""

from tests.security.conftest import clock, database, home, place, postgres_server, postgres_url

__all__ = ["clock", "database", "home", "place", "postgres_server", "postgres_url"]
