"""The dashboard's files: to browsers, without a key, under a policy that lets nothing else in."""

import re
from pathlib import Path

import pytest

from paddock.app import World
from paddock.server.pages import PAGES
from tests.server.running import Served, served

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
INDEX = (
    '<!doctype html><meta name="nonce" content="%NONCE%"><script type="module" src="/assets/index-Ab12.js"></script>'
)


@pytest.fixture
def built(tmp_path: Path) -> World:
    """A world with a small dashboard in it."""
    folder = tmp_path / "pages"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(INDEX)
    (folder / "assets" / "index-Ab12.js").write_text("export {};")
    (folder / "secret.txt").write_text("not for you")
    return World(web_pages=folder)


async def test_a_browser_gets_the_page_at_every_deep_link_and_programs_the_line(tmp_path: Path, built: World) -> None:
    """Ollama's clients probe `/`; a person reloads whatever page they are on."""
    async with served(tmp_path, world=built) as server:
        for path in ("/", *PAGES, "/chat/0123-abcd"):
            page = await server.client.get(path, headers=HTML)
            assert page.status_code == 200, path
            assert "/assets/index-Ab12.js" in page.text
            assert page.headers["cache-control"] == "no-store"
        assert (await server.client.get("/")).text == "Paddock is running"
        assert (await server.client.get("/", headers={"accept": "*/*"})).text == "Paddock is running"
        assert (await server.client.get("/models")).status_code == 404, "programs find the API elsewhere"
        assert (await server.client.get("/modelsmith", headers=HTML)).status_code == 404


async def test_the_policy_lets_in_nothing_but_the_servers_own_scripts(tmp_path: Path, built: World) -> None:
    """A hostile name that got into the page would still find nothing that runs it, and no other page frames ours."""
    async with served(tmp_path, world=built) as server:
        page = await server.client.get("/", headers=HTML)
        policy = page.headers["content-security-policy"]
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["default-src"] == "'none'"
        assert rules["script-src"] == "'self'"
        assert rules["connect-src"] == "'self'"
        assert rules["frame-ancestors"] == "'none'"
        assert rules["base-uri"] == rules["form-action"] == "'none'"
        assert "unsafe" not in policy
        assert "http" not in policy
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert _nonce(policy) in page.text
        again = await server.client.get("/", headers=HTML)
        assert _nonce(again.headers["content-security-policy"]) != _nonce(policy)


async def test_assets_stay_in_caches_and_nothing_else_of_the_folder_is_sent(tmp_path: Path, built: World) -> None:
    async with served(tmp_path, world=built) as server:
        script = await server.client.get("/assets/index-Ab12.js")
        assert script.headers["content-type"].startswith("text/javascript")
        assert "immutable" in script.headers["cache-control"]
        assert script.headers["x-content-type-options"] == "nosniff"
        for name in ("other.js", "..%2fsecret.txt", "%2e%2e/secret.txt", "../secret.txt", "index-Ab12.js%00"):
            assert await _status(server, f"/assets/{name}") == 404, name


async def test_the_page_needs_no_key_and_what_it_shows_does(tmp_path: Path, built: World) -> None:
    """It holds no secret, and somebody has to ask the person for the key."""
    async with served(tmp_path, world=built, admin_key="a-key") as server:
        assert (await server.client.get("/chat/1", headers=HTML)).status_code == 200
        assert (await server.client.get("/assets/index-Ab12.js")).status_code == 200
        for path in ("/", "/models", "/v1/models", "/admin/config", "/nothing", "/openapi.json"):
            assert (await server.client.get(path)).status_code == 401, path
        for path in ("/v1/models", "/admin/config", "/nothing", "/openapi.json", "/assets"):
            assert (await server.client.get(path, headers=HTML)).status_code == 401, path


async def test_without_a_built_dashboard_the_page_says_how_to_get_one(tmp_path: Path) -> None:
    """A server from a clone without Node is whole but for this."""
    async with served(tmp_path, world=World(web_pages=tmp_path / "nothing")) as server:
        page = await server.client.get("/memory", headers=HTML)
        assert page.status_code == 200
        assert "Install Node" in page.text
        assert "make serve" in page.text
        assert "script-src" not in page.headers["content-security-policy"]
        assert (await server.client.get("/assets/index.js")).status_code == 404


def _nonce(policy: str) -> str:
    found = re.search(r"'nonce-([\w-]{22})'", policy)
    assert found is not None
    return found.group(1)


async def _status(server: Served, path: str) -> int:
    """Of an address as it stands, which a client would tidy up."""
    said = await server.say(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
    return int(said.split(b" ", 2)[1])
