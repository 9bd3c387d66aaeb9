"""A page in somebody's browser can reach loopback; what it may do there is decided here."""

from pathlib import Path

import pytest

from tests.server.running import served, status_of

ALLOWED = "https://chat.example.org"


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}", "127.8.8.8", "LOCALHOST"]
)
async def test_the_server_goes_by_the_names_of_its_own_machine(tmp_path: Path, host: str) -> None:
    """Clients spell loopback in many ways."""
    async with served(tmp_path) as server:
        answer = await server.client.get("/readyz", headers={"host": host.format(port=server.port)})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8484",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.168.1.7",
        "localhost:80:80",
        "localhost@evil.example",
        "[::1",
        "[::2]",
        "x" * 300,
        "0.0.0.0",
        "2130706433",
    ],
)
async def test_a_foreign_host_is_refused(tmp_path: Path, host: str) -> None:
    """DNS rebinding: a page's own name, made to point here, would make it the same origin."""
    async with served(tmp_path) as server:
        for path in ("/", "/readyz", "/v1/models", "/admin/models/status", "/nothing"):
            answer = await server.client.get(path, headers={"host": host})
            assert answer.status_code == 403, path
        assert await server.is_well()


async def test_a_request_without_one_host_is_refused(tmp_path: Path) -> None:
    """Two hosts let a proxy and a server read different ones."""
    async with served(tmp_path) as server:
        for head in (b"", b"host: localhost\r\nhost: evil.example\r\n", b"host:\r\n"):
            said = await server.say(b"GET /readyz HTTP/1.1\r\n" + head + b"connection: close\r\n\r\n")
            assert status_of(said) == 400, head


async def test_a_name_that_was_allowed_is_let_in(tmp_path: Path) -> None:
    """Behind a proxy or in a container the server has names of its own."""
    async with served(tmp_path, PADDOCK_SERVER__ALLOWED_HOSTS="models.example.org, gpu.local") as server:
        assert (await server.client.get("/readyz", headers={"host": "GPU.local:99"})).status_code == 200
        assert (await server.client.get("/readyz", headers={"host": "example.org"})).status_code == 403


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://127.0.0.1",
        "http://localhost:1",
        "file://",
        "",
        "http://127.0.0.1:{port}.evil.example",
    ],
)
async def test_a_foreign_page_changes_and_reads_nothing(tmp_path: Path, origin: str) -> None:
    """A page may send a `text/plain` post anywhere without asking first; the damage would be done before it is blocked."""
    async with served(tmp_path) as server:
        headers = {"origin": origin.format(port=server.port)}
        for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
            sent = {**headers, "content-type": kind}
            answer = await server.client.post("/admin/models/load/pony", headers=sent, content=b"{}")
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
        assert (await server.client.get("/v1/models", headers=headers)).status_code == 403
        assert (await server.client.delete("/admin/library/models/pony", headers=headers)).status_code == 403
        asked = {**headers, "access-control-request-method": "POST"}
        assert (await server.client.options("/v1/chat/completions", headers=asked)).status_code == 403
        assert not server.rooms.pool.status().models, "a foreign page loaded a model"


async def test_a_page_without_an_origin_that_asks_across_sites_is_refused(tmp_path: Path) -> None:
    """An image tag sends no origin, and the browser says so by other means."""
    async with served(tmp_path) as server:
        crossing = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
        assert (await server.client.get("/v1/models", headers=crossing)).status_code == 403
        followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
        assert (await server.client.get("/", headers=followed)).status_code == 200


async def test_the_servers_own_page_may_call_it(tmp_path: Path) -> None:
    """The dashboard is such a page."""
    async with served(tmp_path) as server:
        for name in ("127.0.0.1", "localhost"):
            own = {"host": f"{name}:{server.port}", "origin": f"http://{name}:{server.port}"}
            answer = await server.client.get("/admin/models/status", headers=own)
            assert answer.status_code == 200
        other = {"host": f"127.0.0.1:{server.port}", "origin": f"http://localhost:{server.port}"}
        assert (await server.client.get("/admin/models/status", headers=other)).status_code == 403


async def test_a_page_that_was_let_in_is_named_exactly(tmp_path: Path) -> None:
    """`*` would let everybody read what one page may."""
    async with served(tmp_path, PADDOCK_SERVER__ALLOWED_ORIGINS=ALLOWED) as server:
        asked = {
            "origin": ALLOWED,
            "access-control-request-method": "POST",
            "access-control-request-headers": "x-api-key",
        }
        before = await server.client.options("/v1/chat/completions", headers=asked)
        assert before.status_code == 204
        assert before.headers["access-control-allow-headers"] == "x-api-key"
        after = await server.client.get("/v1/models", headers={"origin": ALLOWED})
        assert after.status_code == 200
        for answer in (before, after):
            assert answer.headers["access-control-allow-origin"] == ALLOWED
            assert answer.headers["vary"] == "origin"
        assert (await server.client.get("/v1/models", headers={"origin": ALLOWED + ".evil"})).status_code == 403


async def test_a_page_that_was_let_in_still_wants_a_key(tmp_path: Path) -> None:
    """Being let in is not being somebody."""
    async with served(tmp_path, admin_key="k" * 20, PADDOCK_SERVER__ALLOWED_ORIGINS=ALLOWED) as server:
        answer = await server.client.get("/v1/models", headers={"origin": ALLOWED})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, ALLOWED)
