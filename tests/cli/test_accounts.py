"""`paddock key` and `paddock user`, alone and through the server, which knows at once."""

import json
from collections.abc import Generator

import httpx2
import pytest

from paddock.cli.schemas import render_schemas
from paddock.client.discovery import find_server
from paddock.errors import NotFound, UsageError
from tests.cli.running import Cli, Done
from tests.cli.schema_check import complaints
from tests.client.serving import RunningServer
from tests.library.rooms import Site


@pytest.fixture(params=["in this process", "through the server"])
def cli(request: pytest.FixtureRequest, site: Site) -> Generator[Cli]:
    """The program on that machine, alone and with a server beside it."""
    if request.param == "in this process":
        yield Cli(site)
        return
    with RunningServer(site):
        yield Cli(site)


def check(done: Done, command: str) -> None:
    assert done.code == 0, done.err
    schema = json.loads(render_schemas())
    assert complaints(done.document, {"$ref": schema["x-commands"][command]}, schema) == []


def status(site: Site, key: str | None) -> int | None:
    """How the server answers with that key; None without a server."""
    address = find_server(site.config.paths.state)
    if address is None:
        return None
    headers = {"x-api-key": key} if key else {}
    return httpx2.get(f"{address.url}/v1/models", headers=headers, trust_env=False).status_code


def test_keys_are_made_changed_rotated_revoked_and_forgotten(cli: Cli, site: Site) -> None:
    assert status(site, None) in (200, None)
    made = cli("key", "add", "ci", "--scope", "chat", "--model", "po*", "--expires", "3650d", "--json")
    check(made, "key add")
    secret = made.document["secret"]
    assert (status(site, secret), status(site, None)) in ((200, 401), (None, None))
    listed = cli("key", "--json")
    check(listed, "key")
    assert secret not in listed.out
    (key,) = listed.document["keys"]
    assert (key["scopes"], key["models"]) == (["chat"], ["po*"])
    edited = cli("key", "edit", "ci", "--model", "*", "--requests-per-minute", "5", "--expires", "never", "--json")
    check(edited, "key edit")
    assert edited.document["expires_at"] is None
    assert (edited.document["models"], edited.document["requests_per_minute"]) == ([], 5)
    assert edited.document["scopes"] == ["chat"]
    turned = cli("key", "rotate", "ci", "--json")
    check(turned, "key rotate")
    assert (status(site, secret), status(site, turned.document["secret"])) in ((401, 200), (None, None))
    assert cli("key").out.count("ci") == 1
    check(cli("key", "revoke", "ci", "--json"), "key revoke")
    assert status(site, turned.document["secret"]) in (401, None)
    check(cli("key", "remove", "ci", "--yes", "--json"), "key remove")
    assert cli("key", "--json").document == {"keys": []}
    assert status(site, None) in (200, None)
    for words in (("revoke", "ci"), ("rotate", "ci"), ("edit", "ci"), ("remove", "ci", "--yes"), ("revoke", "a/b")):
        assert cli("key", *words).code == NotFound.exit_code
    for words in (("add", "x", "--scope", "root"), ("add", "x", "--expires", "soon"), ("add", "-x")):
        assert cli("key", *words).code == UsageError.exit_code


def test_a_key_for_people_is_alone_on_stdout(cli: Cli) -> None:
    """`export KEY=$(paddock key add ci)` is what people write."""
    done = cli("key", "add", "ci")
    assert done.out.strip().startswith("pk_")
    assert len(done.out.split()) == 1
    assert "shown only now" in done.err


def test_users_are_added_changed_and_forgotten(cli: Cli, site: Site) -> None:
    added = cli("user", "add", "Ada", "--scope", "admin", "--json", stdin="analytical engine\n")
    check(added, "user add")
    assert added.document["name"] == "ada"
    assert status(site, None) in (401, None)
    check(cli("user", "--json"), "user")
    edited = cli(
        "user", "edit", "ada", "--scope", "chat", "--disable", "--password", "--json", stdin="difference engine"
    )
    check(edited, "user edit")
    assert (edited.document["scopes"], edited.document["disabled"]) == (["chat"], True)
    assert "ada" in cli("user").out
    assert cli("user", "add", "bob", stdin="short").code == UsageError.exit_code
    assert cli("user", "add", "bob").code == UsageError.exit_code
    check(cli("user", "remove", "ada", "--yes", "--json"), "user remove")
    assert cli("user", "remove", "ada", "--yes").code == NotFound.exit_code
