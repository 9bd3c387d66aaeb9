"""With a key or a user made, nobody gets anything without one; each gets what it may, in the words of every dialect."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from paddock.security.api_keys import KeyTerms
from paddock.security.callers import ALL, Scope
from paddock.server.permissions import Open, need_of
from tests.fakes.clouds import OpenAICloud
from tests.server.running import LAUNCH_TOKEN, TOKEN, Served, served

KEY = "correct-horse-battery-staple"
OPEN = {"/healthz", "/readyz"}
SIGNING_IN = {("post", "/admin/session"), ("get", "/admin/session/ways")}
HELLO: dict[str, Any] = {"model": "pony", "max_tokens": 2, "messages": [{"role": "user", "content": "Hello"}]}
ASKED = {
    "/v1/chat/completions": HELLO,
    "/v1/messages": HELLO,
    "/api/chat": {"model": "pony", "messages": HELLO["messages"], "options": {"num_predict": 2}},
    "/admin/config": None,
}


async def made(server: Served, name: str = "test", **terms: Any) -> str:
    """A key of that server's."""
    return (await server.rooms.keys.add(name, KeyTerms(**terms))).secret


def code_of(body: bytes) -> str:
    """The code of a failure, in whatever dialect."""
    told = json.loads(body)
    error = told.get("error")
    if isinstance(error, dict):
        return error.get("code") or error["details"]["error_code"]
    return told["code"]


async def test_every_address_but_health_wants_the_key(tmp_path: Path) -> None:
    """One address that was forgotten is enough; so they are taken from the description of the server itself."""
    async with served(tmp_path, admin_key=KEY) as server:
        document = (await server.client.get("/openapi.json", headers={"x-api-key": KEY})).json()
        seen = 0
        for path, methods in document["paths"].items():
            for method in methods:
                answer = await server.client.request(method, path.replace("{", "").replace("}", ""))
                is_open = path in OPEN or (method, path) in SIGNING_IN
                assert (answer.status_code == 401) == (not is_open), (method, path)
                seen += 1
        assert seen > 10
        for path in ("/", "/openapi.json", "/docs", "/nothing"):
            refused = await server.client.get(path)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": f"bearer   {KEY}"}, 200),
        ({"x-api-key": KEY}, 200),
        ({"x-api-key": TOKEN}, 200),
        ({"authorization": f"Basic {KEY}"}, 401),
        ({"authorization": "Bearer"}, 401),
        ({"x-api-key": KEY[:-1]}, 401),
        ({"x-api-key": KEY + "x"}, 401),
        ({"x-api-key": ""}, 401),
        ({"x-api-key": "pk_000000000000_" + "A" * 43}, 401),
        ({"cookie": "paddock_session=abc"}, 401),
    ],
)
async def test_the_key_comes_as_clients_send_it(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    """OpenAI's clients and Anthropic's send it in different headers; this person's own programs have a token."""
    async with served(tmp_path, admin_key=KEY) as server:
        answer = await server.client.get("/v1/models", headers=headers)
        assert answer.status_code == status
        assert KEY not in answer.text


async def test_no_key_is_wanted_until_the_first_is_made(tmp_path: Path) -> None:
    """OpenAI's clients insist on sending one, so any will do; from the first key on, only that one."""
    async with served(tmp_path) as server:
        any_key = {"authorization": "Bearer none"}
        assert (await server.client.get("/v1/models", headers=any_key)).status_code == 200
        key = await made(server)
        assert (await server.client.get("/v1/models", headers=any_key)).status_code == 401
        assert (await server.client.get("/v1/models")).status_code == 401
        assert (await server.client.get("/v1/models", headers={"x-api-key": key})).status_code == 200
        await server.rooms.keys.remove("test")
        assert (await server.client.get("/v1/models")).status_code == 200, "and again when the last is gone"


async def test_refusals_speak_each_dialect(tmp_path: Path) -> None:
    """Wrong, expired, revoked: 401. Not for this: 403. Too often: 429 with the time to wait. Everywhere the same code."""
    async with served(tmp_path, PADDOCK_POOL__KEEP_ALIVE="1s") as server:
        past = datetime.now(UTC) + timedelta(seconds=0.05)
        keys = {
            "key_missing": "pk_0123456789ab_" + "x" * 43,
            "key_expired": await made(server, "expired", scopes=ALL, expires_at=past),
            "key_revoked": await made(server, "revoked", scopes=ALL),
            "out_of_scope": await made(server, "vectors", scopes=frozenset({Scope.EMBEDDINGS})),
            "over_limit": await made(server, "rare", scopes=ALL, requests_per_minute=1),
            "model_not_allowed": await made(server, "other", scopes=ALL, models=("qwen*",)),
        }
        await server.rooms.keys.revoke("revoked")
        first = {"x-api-key": keys["over_limit"]}
        assert (await server.client.get("/v1/models", headers=first)).status_code == 200
        statuses = {"key_missing": 401, "key_expired": 401, "key_revoked": 401, "over_limit": 429}
        for code, key in keys.items():
            for path, body in ASKED.items():
                if code == "model_not_allowed" and body is None:
                    continue
                headers = {"x-api-key": key}
                if body is None:
                    answer = await server.client.get(path, headers=headers)
                else:
                    answer = await server.client.post(path, json=body, headers=headers)
                assert (answer.status_code, code_of(answer.content)) == (statuses.get(code, 403), code), path
                assert ("retry-after" in answer.headers) == (code == "over_limit")
                assert key not in answer.text
        models = await server.client.post(
            "/v1/messages/count_tokens", json=HELLO, headers={"x-api-key": keys["model_not_allowed"]}
        )
        assert models.status_code == 403


async def test_a_key_may_use_the_models_that_its_patterns_name(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        allowed = {"x-api-key": await made(server, models=("po*",))}
        answer = await server.client.post("/v1/chat/completions", json=HELLO, headers=allowed)
        assert answer.status_code == 200
        refused = await server.client.post("/v1/chat/completions", json={**HELLO, "model": "foal"}, headers=allowed)
        assert code_of(refused.content) == "model_not_allowed"
        (key,) = await server.rooms.keys.list()
        await server.rooms.gate.write_use()
        (key,) = await server.rooms.keys.list()
        used = answer.json()["usage"]
        assert key.tokens_today == used["total_tokens"]
        assert key.last_used_at is not None


async def test_lists_hold_the_models_that_a_key_may_use_and_no_others(tmp_path: Path) -> None:
    """What is listed can be asked for, in every dialect: clients offer all of it to people."""
    async with OpenAICloud() as cloud:
        cloud.models = ("gpt-far", "foal")
        far = {"PADDOCK_PROVIDERS": json.dumps({"far": {"host": cloud.url}})}
        async with served(tmp_path, **far) as server:
            await server.rooms.library.copy("pony-vision", "eye")
            seen: dict[str, set[str]] = {}
            for name, patterns in {"all": (), "few": ("pony", "eye", "gpt-*"), "far": ("far/*",)}.items():
                headers = {"x-api-key": await made(server, name, scopes=ALL, models=patterns)}
                openai = (await server.client.get("/v1/models", headers=headers)).json()["data"]
                seen[name] = {model["id"] for model in openai}
                words = {**headers, "anthropic-version": "2023-06-01"}
                page = (await server.client.get("/v1/models?limit=1000", headers=words)).json()["data"]
                assert {model["id"] for model in page} <= seen[name]
                tags = (await server.client.get("/api/tags", headers=headers)).json()["models"]
                assert {model["name"] for model in tags} == {f"{each}:latest" for each in seen[name]}
            assert {"pony", "foal", "eye", "pony-vision", "gpt-far", "far/foal"} <= seen["all"]
            assert seen["few"] == {"pony", "eye", "gpt-far"}
            assert seen["far"] == {"far/gpt-far", "far/foal"}
            loaded = await server.client.post("/v1/chat/completions", json=HELLO, headers={"x-api-key": TOKEN})
            assert loaded.status_code == 200
            few, other = await made(server, "few too", models=("pony",)), await made(server, "other", models=("foal",))
            for key, running in ((few, ["pony:latest"]), (other, [])):
                answer = await server.client.get("/api/ps", headers={"x-api-key": key})
                assert [model["name"] for model in answer.json()["models"]] == running
            for method, path, body in (
                ("GET", "/v1/models/pony", None),
                ("POST", "/api/show", {"model": "pony:latest"}),
                ("GET", "/v1/models/nothing", None),
            ):
                answer = await server.client.request(method, path, json=body, headers={"x-api-key": other})
                assert (answer.status_code, code_of(answer.content)) == (403, "model_not_allowed"), path


async def test_a_key_whose_tokens_are_used_up_waits_for_the_next_day(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        headers = {"x-api-key": await made(server, tokens_per_day=5)}
        assert (await server.client.post("/v1/chat/completions", json=HELLO, headers=headers)).status_code == 200
        refused = await server.client.post("/v1/chat/completions", json=HELLO, headers=headers)
        assert (refused.status_code, code_of(refused.content)) == (429, "over_limit")
        assert 0 < int(refused.headers["retry-after"]) <= 86400


async def test_programs_that_are_launched_may_only_speak_with_models(tmp_path: Path) -> None:
    """A coding tool has no business with settings and keys of the server, and leaks what it has into its logs."""
    async with served(tmp_path) as server:
        headers = {"authorization": f"Bearer {LAUNCH_TOKEN}"}
        assert (await server.client.get("/v1/models", headers=headers)).status_code == 200
        for path in ("/admin/config", "/admin/keys", "/admin/users", "/metrics", "/admin/pulls"):
            refused = await server.client.get(path, headers=headers)
            assert (refused.status_code, code_of(refused.content)) == (403, "out_of_scope"), path


async def test_every_address_says_what_it_wants(tmp_path: Path) -> None:
    """New addresses below `/admin` are for administrators until somebody decides otherwise; none is open by accident."""
    async with served(tmp_path) as server:
        document = (await server.client.get("/openapi.json")).json()
        needs = {
            (method.upper(), path): need_of(method.upper(), path)
            for path, methods in document["paths"].items()
            for method in methods
        }
    everybody = {where for where, need in needs.items() if need is Open.EVERYBODY}
    signing_in = {(method.upper(), path) for method, path in SIGNING_IN}
    assert everybody == {("GET", "/healthz"), ("GET", "/readyz")} | signing_in
    assert needs["POST", "/v1/chat/completions"] is Scope.CHAT
    assert needs["POST", "/v1/messages/count_tokens"] is Scope.CHAT
    for path in ("/admin/users", "/admin/keys", "/admin/config", "/admin/logs", "/metrics"):
        assert needs["GET", path] is Scope.ADMIN, path
    assert needs["GET", "/admin/chats/{chat_id}"] == {Scope.CHAT, Scope.ADMIN}
    assert need_of("GET", "/admin/nothing-yet") is Scope.ADMIN
    assert need_of("POST", "/v1/embeddings") is Scope.EMBEDDINGS


async def test_the_admin_api_makes_edits_rotates_revokes_and_removes_keys(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        made_ = await server.client.post(
            "/admin/keys", json={"name": "ci", "scopes": ["admin", "chat"], "models": ["p*"]}
        )
        assert made_.status_code == 201
        assert made_.headers["cache-control"] == "no-store"
        secret = made_.json()["secret"]
        admin = {"x-api-key": secret}
        again = await server.client.post("/admin/keys", json={"name": "ci"}, headers=admin)
        assert again.status_code == 400
        edited = await server.client.patch(
            "/admin/keys/ci", json={"requests_per_minute": 500, "models": []}, headers=admin
        )
        assert edited.json() | {"last_used_at": None} == made_.json()["key"] | {
            "requests_per_minute": 500,
            "models": [],
        }
        listed = await server.client.get("/admin/keys", headers=admin)
        assert secret not in listed.text
        assert secret.rpartition("_")[2] not in listed.text
        turned = await server.client.post("/admin/keys/ci/rotate", json={"grace_s": 60}, headers=admin)
        new = {"x-api-key": turned.json()["secret"]}
        assert turned.json()["key"]["id"] == made_.json()["key"]["id"]
        for headers in (admin, new):
            assert (await server.client.get("/admin/keys", headers=headers)).status_code == 200
        await server.client.post("/admin/keys/ci/rotate", json={}, headers=new)
        for headers in (admin, new):
            assert (await server.client.get("/admin/keys", headers=headers)).status_code == 401
        local = {"x-api-key": TOKEN}
        assert (await server.client.post("/admin/keys/ci/revoke", headers=local)).json()["revoked_at"]
        assert (await server.client.delete("/admin/keys/ci", headers=local)).status_code == 200
        assert (await server.client.get("/admin/keys", headers=local)).json() == {"keys": []}
        assert (await server.client.get("/admin/keys/ci", headers=local)).status_code == 404


async def test_people_sign_in_and_out(tmp_path: Path) -> None:
    """The cookie is out of reach of scripts and of other pages, and changes nothing without the page's token."""
    async with served(tmp_path) as server:
        client = server.client
        await server.rooms.users.add("Ada", SecretStr("analytical engine"), frozenset({Scope.ADMIN}))
        assert (await client.get("/admin/session")).status_code == 401
        wrong = await client.post("/admin/session", json={"name": "ada", "password": "difference engine"})
        assert (wrong.status_code, code_of(wrong.content)) == (401, "sign_in_failed")
        entered = await client.post("/admin/session", json={"name": "ada", "password": "analytical engine"})
        assert entered.status_code == 200
        cookie = entered.headers["set-cookie"]
        for part in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"):
            assert part in cookie
        assert "Secure" not in cookie, "a browser on this machine speaks plain HTTP"
        far = await client.post(
            "/admin/session",
            json={"name": "ada", "password": "analytical engine"},
            headers={"host": f"127.1:{server.port}"},
        )
        assert far.status_code in (200, 403)
        client.cookies.clear()
        shown = {"cookie": cookie.partition(";")[0]}
        who = (await client.get("/admin/session", headers=shown)).json()
        assert (who["name"], who["scopes"]) == ("ada", ["admin"])
        assert who["page_token"] == entered.json()["page_token"]
        assert cookie.partition(";")[0].partition("=")[2] not in json.dumps(who)
        body = {"name": "from a page"}
        bare = await client.post("/admin/keys", json=body, headers=shown)
        assert (bare.status_code, code_of(bare.content)) == (403, "token_missing")
        forged = await client.post("/admin/keys", json=body, headers={**shown, "x-paddock-page-token": "0" * 64})
        assert forged.status_code == 403
        real = {**shown, "x-paddock-page-token": who["page_token"]}
        assert (await client.post("/admin/keys", json=body, headers=real)).status_code == 201
        chat = await client.post("/v1/chat/completions", json=HELLO, headers=real)
        assert (chat.status_code, code_of(chat.content)) == (403, "out_of_scope")
        out = await client.delete("/admin/session", headers=real)
        assert out.json() == {"signed_out": True}
        assert "Max-Age=0" in out.headers["set-cookie"]
        assert (await client.get("/admin/session", headers=shown)).status_code == 401


async def test_a_sign_in_page_learns_what_to_ask_for(tmp_path: Path) -> None:
    """Where there are only keys, a name and a password would be asked for in vain."""
    async with served(tmp_path) as server:
        await server.rooms.keys.add("ci", KeyTerms())
        assert (await server.client.get("/admin/session/ways")).json() == {"password": False}
        await server.rooms.users.add("ada", SecretStr("analytical engine"), ALL)
        assert (await server.client.get("/admin/session/ways")).json() == {"password": True}
        await server.rooms.users.edit("ada", disabled=True)
        assert (await server.client.get("/admin/session/ways")).json() == {"password": False}


async def test_each_sees_and_changes_only_their_own_conversations(tmp_path: Path) -> None:
    """Two people and a program on one server; whoever administers sees all, and what was kept before the first key."""
    async with served(tmp_path) as server:
        client, place = server.client, "/admin/chats"
        before = (await client.post(place, json={"model": "pony", "title": "From before"})).json()
        ids, users = dict[str, str](), dict[str, str]()
        whose: dict[str, dict[str, str]] = {"admin": {"x-api-key": TOKEN}}
        for name in ("ada", "ben"):
            await server.rooms.users.add(name, SecretStr(f"the password of {name}"), frozenset({Scope.CHAT}))
            body = {"name": name, "password": f"the password of {name}"}
            entered = await client.post("/admin/session", json=body)
            cookie = entered.headers["set-cookie"].partition(";")[0]
            whose[name] = {"cookie": cookie, "x-paddock-page-token": entered.json()["page_token"]}
            users[name] = entered.json()["id"]
            client.cookies.clear()
        whose["key"] = {"x-api-key": await made(server, "program", scopes=frozenset({Scope.CHAT}))}
        for name, headers in whose.items():
            begun = await client.post(place, json={"model": "pony", "title": f"Of {name}"}, headers=headers)
            assert begun.status_code == 201, begun.text
            ids[name] = begun.json()["id"]

        async def titles(name: str, **query: Any) -> set[str]:
            answer = await client.get(place, params=query, headers=whose[name])
            return {chat["title"] for chat in answer.json()["chats"]}

        said = {"messages": [{"role": "user", "parts": [{"kind": "text", "text": "mine"}]}]}
        for name in ("ada", "ben", "key"):
            assert await titles(name) == {f"Of {name}"}
            found = await client.post(f"{place}/search", json={"search": "Of"}, headers=whose[name])
            assert [chat["id"] for chat in found.json()["chats"]] == [ids[name]]
            for other in ({*ids} - {name}, {"before"}):
                for one in other:
                    chat_id = ids.get(one, before["id"])
                    for method, path, body in (
                        ("GET", f"{place}/{chat_id}", None),
                        ("POST", f"{place}/{chat_id}/messages", said),
                        ("PUT", f"{place}/{chat_id}/title", {"title": "Taken"}),
                        ("PUT", f"{place}/{chat_id}/options", {"options": {}, "model": "foal"}),
                        ("GET", f"{place}/{chat_id}/branches", None),
                        ("POST", f"{place}/{chat_id}/branch", {"at": 0}),
                        ("DELETE", f"{place}/{chat_id}", None),
                    ):
                        answer = await client.request(method, path, json=body, headers=whose[name])
                        assert answer.status_code == 404, (name, one, method, path)
            assert (
                await client.post(f"{place}/{ids[name]}/messages", json=said, headers=whose[name])
            ).status_code == 201
        assert await titles("admin") == {"From before", "Of admin", "Of ada", "Of ben", "Of key"}
        assert await titles("admin", mine="true") == {"From before", "Of admin"}
        branched = await client.post(f"{place}/{ids['ada']}/branch", json={"at": 0}, headers=whose["admin"])
        assert branched.json()["owner"] == "", "a branch is of whoever makes it"
        for name, count in (("ada", 1), ("admin", 2)):
            answer = await client.get(f"{place}/{ids['ada']}/branches", headers=whose[name])
            assert len(answer.json()["chats"]) == count, "and nobody else hears of it"
        owner = (await client.get(f"{place}/{ids['ada']}", headers=whose["admin"])).json()["owner"]
        assert owner == users["ada"]
        assert (await client.delete(place, params={"all": "true"}, headers=whose["ada"])).json() == {"deleted": 1}
        assert await titles("ada") == set()
        assert await titles("ben") == {"Of ben"}
        vectors = {"x-api-key": await made(server, "vectors", scopes=frozenset({Scope.EMBEDDINGS}))}
        assert code_of((await client.get(place, headers=vectors)).content) == "out_of_scope"
        rules = {"x-api-key": await made(server, "rules", scopes=frozenset({Scope.ADMIN}))}
        assert (await client.get(place, headers=rules)).status_code == 200


async def test_the_cookie_travels_in_clear_only_within_this_machine(tmp_path: Path) -> None:
    """Reached by another name, or behind a proxy that speaks TLS, the browser is told to keep it to TLS."""
    async with served(tmp_path, PADDOCK_SERVER__ALLOWED_HOSTS="paddock.example") as server:
        await server.rooms.users.add("ada", SecretStr("analytical engine"), ALL)
        body = {"name": "ada", "password": "analytical engine"}
        for headers, secure in (
            ({}, False),
            ({"host": f"localhost:{server.port}"}, False),
            ({"host": "paddock.example"}, True),
            ({"host": "paddock.example", "x-forwarded-proto": "https"}, True),
            ({"x-forwarded-proto": "https"}, True),
        ):
            entered = await server.client.post("/admin/session", json=body, headers=headers)
            assert entered.status_code == 200, entered.text
            assert ("Secure" in entered.headers["set-cookie"].split("; ")) == secure, headers
            server.client.cookies.clear()
        shown = {"cookie": entered.headers["set-cookie"].partition(";")[0], "host": "paddock.example"}
        page = {**shown, "x-paddock-page-token": entered.json()["page_token"]}
        out = await server.client.delete("/admin/session", headers=page)
        assert "Secure" in out.headers["set-cookie"].split("; "), "else it would not take the other one away"


async def test_who_guesses_passwords_has_to_wait(tmp_path: Path) -> None:
    """However long the server takes for each: the wait doubles, so sooner or later it is longer."""
    async with served(tmp_path) as server:
        await server.rooms.users.add("ada", SecretStr("analytical engine"), ALL)
        body = {"name": "ada", "password": "guess"}
        for number in range(30):
            answer = await server.client.post("/admin/session", json=body)
            if answer.status_code != 401:
                break
            assert number < 29, "nobody stops who guesses"
        assert number >= 5, "a slip of the finger costs nothing"
        assert (answer.status_code, code_of(answer.content)) == (429, "too_many_attempts")
        assert int(answer.headers["retry-after"]) >= 1


async def test_users_are_added_edited_and_removed_over_http(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        local = {"x-api-key": TOKEN}
        added = await server.client.post(
            "/admin/users", json={"name": "Ada", "password": "analytical engine"}, headers=local
        )
        assert added.status_code == 201
        assert "password" not in added.text
        short = await server.client.post("/admin/users", json={"name": "bob", "password": "short"}, headers=local)
        assert (short.status_code, short.json()["code"]) == (400, "usage")
        assert "short" not in short.json()["detail"].replace("too short", "")
        sign_in = {"name": "ada", "password": "analytical engine"}
        cookie = (await server.client.post("/admin/session", json=sign_in)).headers["set-cookie"].partition(";")[0]
        server.client.cookies.clear()
        assert (await server.client.get("/v1/models", headers={"cookie": cookie})).status_code == 200
        edited = await server.client.patch("/admin/users/ada", json={"disabled": True}, headers=local)
        assert edited.json()["disabled"] is True
        assert (await server.client.get("/v1/models", headers={"cookie": cookie})).status_code == 401
        assert (await server.client.post("/admin/session", json=sign_in)).status_code == 401
        assert (await server.client.delete("/admin/users/ada", headers=local)).status_code == 200
        assert (await server.client.get("/admin/users", headers=local)).json() == {"users": []}
