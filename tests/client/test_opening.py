"""Opening a Paddock: which server is found, what is said when none is, and how little it costs to import."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import paddock
from paddock.client.discovery import find_server
from paddock.client.opening import open_paddock
from paddock.errors import KeyMissing, NetworkError
from tests.client.serving import RunningServer
from tests.library.rooms import NOBODY, Site


def test_a_file_that_a_killed_server_left_misleads_nobody(site: Site, tmp_path: Path) -> None:
    """The lock says who lives, not the file."""
    state = site.config.paths.state
    assert find_server(state) is None
    with RunningServer(site) as server:
        found = find_server(state)
        assert found is not None
        assert (found.url, found.key) == (server.url, server.token)
        left = (state / "server.json").read_text()
    (state / "server.json").write_text(left)
    assert find_server(state) is None


async def test_without_a_server_the_work_is_done_here_and_models_leave_with_the_block(site: Site) -> None:
    """A script needs no server, and leaves nothing running."""
    async with open_paddock(config=site.config) as models:
        assert models.url is None
        assert "pony" in [model.name for model in await models.list()]


async def test_a_server_that_is_not_there_is_told_by_its_address() -> None:
    """No traceback of an HTTP library, and a hint."""
    async with open_paddock(NOBODY) as models:
        with pytest.raises(NetworkError, match=NOBODY) as caught:
            await models.list()
    assert "paddock serve" in caught.value.hint


async def test_a_server_with_a_key_wants_it(site: Site) -> None:
    """The same error as the server's own, and with the key all is well."""
    with RunningServer(site, admin_key="secret") as server:
        async with open_paddock(server.url) as models:
            with pytest.raises(KeyMissing):
                await models.list()
        async with open_paddock(server.url, key="secret") as models:
            assert await models.list()


async def test_something_else_at_the_address_is_not_taken_for_a_server(site: Site) -> None:
    """A typing error in a port number must not end in a puzzle."""
    async with open_paddock(site.hub.url) as models:
        with pytest.raises(NetworkError, match="not as a Paddock server"):
            await models.load("pony")


def test_importing_loads_nothing_until_it_is_used() -> None:
    """Programs that only might use Paddock must not pay for it at their start."""
    program = "import json, sys, paddock; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)
    assert [name for name in loaded if name.startswith("paddock")] == ["paddock", "paddock.version"]
    assert not {"asyncio", "pydantic", "msgspec", "httpx2", "sqlalchemy"} & set(loaded)


def test_every_public_name_is_there_and_no_other() -> None:
    """What is documented can be imported; what is misspelled fails as it does everywhere in Python."""
    for name in paddock.__all__:
        assert getattr(paddock, name) is not None
    with pytest.raises(AttributeError, match="opne"):
        _ = paddock.opne  # pyright: ignore[reportAttributeAccessIssue] (that is the point)
