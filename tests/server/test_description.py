"""Clients are generated from `/openapi.json`; what it leaves out they do not know."""

from pathlib import Path

from tests.server.running import served


async def test_the_description_tells_everything_and_loads_nothing(tmp_path: Path) -> None:
    """On a machine without a network, a page that loads its scripts from elsewhere is a blank page."""
    async with served(tmp_path) as server:
        document = (await server.client.get("/openapi.json")).json()
        assert document["openapi"].startswith("3.1")
        paths = document["paths"]
        for path in (
            "/healthz",
            "/readyz",
            "/metrics",
            "/v1/chat/completions",
            "/v1/models",
            "/admin/models/load/{id}",
        ):
            assert path in paths, path
        names: list[str] = []
        for path, operations in paths.items():
            for method, operation in operations.items():
                names.append(operation["operationId"])
                assert "422" not in operation["responses"], (method, path)
                assert {"4XX", "5XX"} <= set(operation["responses"]), (method, path)
                assert operation.get("description") or operation.get("summary"), (method, path)
                assert bool(operation.get("security")) == (path not in ("/healthz", "/readyz"))
        assert len(names) == len(set(names)), "two operations share a name"
        assert set(document["components"]["securitySchemes"]) == {"bearer", "apiKey"}
        for path in ("/docs", "/redoc"):
            assert (await server.client.get(path)).status_code == 404
