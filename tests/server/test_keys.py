"""With a key made, nobody gets anything without one, and nothing tells how near a guess was."""

from pathlib import Path

import pytest

from paddock.server.keys import ADMIN, ANYONE, LOCAL, Keys
from tests.server.running import TOKEN, served

KEY = "correct-horse-battery-staple"
OPEN = {"/healthz", "/readyz"}


async def test_every_address_but_health_wants_the_key(tmp_path: Path) -> None:
    """One address that was forgotten is enough; so they are taken from the description of the server itself."""
    async with served(tmp_path, admin_key=KEY) as server:
        document = (await server.client.get("/openapi.json", headers={"x-api-key": KEY})).json()
        seen = 0
        for path, methods in document["paths"].items():
            for method in methods:
                answer = await server.client.request(method, path.replace("{", "").replace("}", ""))
                assert (answer.status_code == 401) == (path not in OPEN), (method, path)
                seen += 1
        assert seen > 10
        for path in ("/", "/openapi.json", "/docs", "/nothing"):
            refused = await server.client.get(path)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": f"Bearer {KEY}"}, 200),
        ({"authorization": f"bearer   {KEY}"}, 200),
        ({"x-api-key": KEY}, 200),
        ({"x-api-key": TOKEN}, 200),
        ({"authorization": f"Basic {KEY}"}, 401),
        ({"authorization": "Bearer"}, 401),
        ({"x-api-key": KEY[:-1]}, 401),
        ({"x-api-key": KEY + "x"}, 401),
        ({"x-api-key": KEY.upper()}, 401),
        ({"x-api-key": ""}, 401),
    ],
)
async def test_the_key_comes_as_clients_send_it(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    """OpenAI's clients and Anthropic's send it in different headers; this person's own programs have a token."""
    async with served(tmp_path, admin_key=KEY) as server:
        answer = await server.client.get("/v1/models", headers=headers)
        assert answer.status_code == status
        assert KEY not in answer.text


async def test_without_a_key_made_any_will_do(tmp_path: Path) -> None:
    """OpenAI's clients insist on sending one."""
    async with served(tmp_path) as server:
        assert (await server.client.get("/v1/models", headers={"authorization": "Bearer none"})).status_code == 200


def test_keys_are_kept_as_hashes() -> None:
    """Whoever reads the memory of the server, or a dump of it, must not find one."""
    keys = Keys(admin_key=KEY, token=TOKEN)
    assert KEY not in repr(vars(keys))
    assert TOKEN not in repr(vars(keys))
    assert (keys.user(KEY), keys.user(TOKEN)) == (ADMIN, LOCAL)
    assert Keys(admin_key=None, token=TOKEN).user("x") == ANYONE
