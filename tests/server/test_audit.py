"""Every request gets its row, refused ones included: who, what, which model, what came of it. Never what was asked."""

import asyncio
from pathlib import Path
from typing import Any

from paddock.audit.filters import AuditFilter
from paddock.audit.journal import about_prompt
from paddock.audit.record import AuditRow
from paddock.security.api_keys import KeyTerms
from paddock.security.callers import ALL, Scope
from tests.server.running import TOKEN, Served, served

SECRET = "the stable door is green"
BODY: dict[str, Any] = {"model": "pony", "max_tokens": 3, "messages": [{"role": "user", "content": SECRET}]}
LOCAL = {"x-api-key": TOKEN}


async def rows(server: Served) -> list[AuditRow]:
    """All rows, the oldest first. The recorder writes every half second."""
    while server.rooms.life.active:  # a client has its answer a moment before the request is over
        await asyncio.sleep(0.01)
    recorder: Any = server.rooms.recorder
    await recorder.recorder.flush()
    return list(reversed((await server.rooms.ledger.list(AuditFilter(), limit=1000)).rows))


async def test_answers_of_every_dialect_get_a_row(tmp_path: Path) -> None:
    async with served(tmp_path, PADDOCK_AUDIT__PRICES="{pony: {prompt: 1, completion: 2}}") as server:
        made = await server.rooms.keys.add("ci", KeyTerms(scopes=ALL))
        key = {"x-api-key": made.secret, "x-request-id": "mine-1"}
        whole = await server.client.post("/v1/chat/completions", json=BODY, headers=key)
        usage = whole.json()["usage"]
        await server.client.post("/v1/messages", json={**BODY, "stream": True}, headers=LOCAL)
        await server.client.post(
            "/api/chat", json={"model": "pony:latest", "messages": BODY["messages"]}, headers=LOCAL
        )
        chat, message, ollama = await rows(server)
    assert (chat.caller, chat.request_id) == (f"key:{made.key.id}", "mine-1")
    assert (chat.dialect, chat.method, chat.endpoint) == ("openai", "POST", "/v1/chat/completions")
    assert (chat.asked_model, chat.model, chat.provider, chat.route) == ("pony", "pony", "local", "exact")
    assert (chat.status, chat.error_code, chat.attempts, chat.prompt) == (200, "", 1, None)
    assert (chat.prompt_tokens, chat.completion_tokens) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert chat.cost_nanos == 1000 * chat.prompt_tokens + 2000 * chat.completion_tokens
    assert chat.duration_us >= (chat.first_token_us or 0) > 0
    assert chat.bytes_in > len(SECRET)
    assert chat.bytes_out == len(whole.content)
    assert (message.dialect, message.caller, message.status) == ("anthropic", "local", 200)
    assert message.completion_tokens > 0
    assert (ollama.dialect, ollama.model) == ("ollama", "pony")


async def test_vectors_get_a_row_and_only_of_models_that_a_key_may_use(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        made = await server.rooms.keys.add("ci", KeyTerms(scopes=frozenset({Scope.EMBEDDINGS}), models=("pony-embed",)))
        key = {"x-api-key": made.secret}
        body = {"model": "pony-embed", "input": [SECRET]}
        for path in ("/v1/embeddings", "/api/embed"):
            assert (await server.client.post(path, json=body, headers=key)).status_code == 200
        refused = await server.client.post("/v1/embeddings", json={**body, "model": "pony"}, headers=key)
        assert refused.json()["error"]["code"] == "model_not_allowed"
        openai, ollama, other = await rows(server)
    assert (openai.endpoint, openai.model, openai.provider, openai.attempts) == (
        "/v1/embeddings",
        "pony-embed",
        "local",
        1,
    )
    assert openai.prompt_tokens > 0
    assert (ollama.dialect, ollama.asked_model) == ("ollama", "pony-embed")
    assert (other.status, other.asked_model, other.model) == (403, "pony", "")


async def test_refused_failed_and_broken_requests_get_a_row(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        made = await server.rooms.keys.add("ci", KeyTerms(models=("foal",)))
        key = {"x-api-key": made.secret}
        await server.client.post("/v1/chat/completions", json=BODY)
        await server.client.post("/v1/chat/completions", json=BODY, headers=key)
        await server.client.get("/admin/config", headers=key)
        await server.client.post("/v1/chat/completions", json={**BODY, "model": "nothing"}, headers=LOCAL)
        await server.client.post("/v1/chat/completions", json={**BODY, "max_tokens": "many"}, headers=LOCAL)
        long = [{"role": "user", "content": "word " * 5000}]
        await server.client.post("/v1/chat/completions", json={**BODY, "messages": long}, headers=LOCAL)
        await server.client.post("/admin/session", json={"name": "ada", "password": "wrong password"})
        found = [(row.status, row.error_code, row.caller) for row in await rows(server)]
        check = await server.rooms.ledger.verify()
    assert found == [
        (401, "key_missing", ""),
        (403, "model_not_allowed", f"key:{made.key.id}"),
        (403, "out_of_scope", f"key:{made.key.id}"),
        (404, "model_not_found", "local"),
        (400, "usage", "local"),
        (400, "context_length_exceeded", "local"),
        (401, "sign_in_failed", ""),
    ]
    assert check.is_sound


async def test_looking_around_leaves_no_rows_and_changes_do(tmp_path: Path) -> None:
    """A dashboard asks every second; what somebody changed must not drown in that."""
    async with served(tmp_path) as server:
        for path in ("/healthz", "/readyz", "/metrics", "/", "/admin/models/status", "/admin/audit"):
            await server.client.get(path)
        await server.client.put("/admin/registry/mine", json={"reference": "org/name"})
        (row,) = await rows(server)
    assert (row.method, row.endpoint, row.dialect) == ("PUT", "/admin/registry/{name}", "paddock")


async def test_prompts_are_kept_only_when_asked_for_and_sealed(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        await server.client.post("/v1/chat/completions", json=BODY)
        assert [row.prompt for row in await rows(server)] == [None]
    async with served(tmp_path, PADDOCK_AUDIT__PROMPTS="true") as server:
        await server.client.post("/v1/chat/completions", json=BODY, headers={"x-request-id": "mine-2"})
        row = (await rows(server))[-1]
        assert row.prompt is not None
        assert SECRET not in row.prompt
        assert SECRET in await server.rooms.vault.unseal_text(row.prompt, about=about_prompt("mine-2"))
    for file in (tmp_path / "paddock").rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file


async def test_the_admin_api_lists_checks_and_exports(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        for _ in range(3):
            await server.client.get("/v1/models")
        await rows(server)
        listed = (await server.client.get("/admin/audit", params={"limit": 2, "status": 200})).json()
        assert [row["seq"] for row in listed["rows"]] == [3, 2]
        assert listed["next"] == 2
        check = (await server.client.get("/admin/audit/verify")).json()
        assert (check["is_sound"], check["rows"]) == (True, 3)
        noted = {"seq": 3, "hash": "0" * 64}
        assert (await server.client.get("/admin/audit/verify", params=noted)).json()["is_sound"] is False
        lines = (await server.client.get("/admin/audit/export")).text.splitlines()
        assert len(lines) == 3
        table = await server.client.get("/admin/audit/export", params={"format": "csv"})
        assert table.headers["content-type"].startswith("text/csv")
        assert len(table.text.splitlines()) == 4


async def test_the_admin_api_sums_up_filters_and_tells_of_one_row(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        await server.client.post("/v1/chat/completions", json=BODY)
        await server.client.post("/v1/chat/completions", json={**BODY, "model": "nothing"})
        await rows(server)
        totals = (await server.client.get("/admin/audit/summary", params={"by": "provider"})).json()
        assert [(group["name"], group["totals"]["requests"]) for group in totals["groups"]] == [("", 1), ("local", 1)]
        assert totals["totals"]["failed"] == 1
        exact = {"route": "exact"}
        (found,) = (await server.client.get("/admin/audit", params=exact)).json()["rows"]
        assert len((await server.client.get("/admin/audit/export", params=exact)).text.splitlines()) == 1
        assert (await server.client.get(f"/admin/audit/{found['seq']}")).json() == found
        missing = await server.client.get("/admin/audit/77")
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
        names = (await server.client.get("/admin/audit/names")).json()
        assert (names["models"], names["statuses"]) == (["pony"], [200, 404])


async def test_what_is_being_asked_now_is_told_with_how_far_it_has_come(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        long = {**BODY, "max_tokens": 1900, "stream": True, "ignore_eos": True}
        async with server.client.stream("POST", "/v1/chat/completions", json=long) as answer:
            assert answer.status_code == 200
            lines = answer.aiter_lines()  # held: a stream that nobody iterates over any more is closed
            await anext(lines)
            live = (await server.client.get("/admin/audit/live")).json()
        (running,) = live["requests"]
        assert (running["asked_model"], running["model"], running["provider"]) == ("pony", "pony", "local")
        assert running["seconds"] >= running["first_token_seconds"] > 0
        assert (live["head_seq"], live["kept"]) == (0, True)
        await rows(server)
        live = (await server.client.get("/admin/audit/live")).json()
        assert (live["requests"], live["head_seq"]) == ([], 1)


async def test_what_was_asked_before_the_end_is_written_at_the_end(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        await server.client.get("/v1/models")
    async with served(tmp_path) as server:
        assert len(await rows(server)) == 1


async def test_nothing_is_kept_when_that_is_switched_off(tmp_path: Path) -> None:
    async with served(tmp_path, PADDOCK_AUDIT__KEEP="false", PADDOCK_AUDIT__PROMPTS="true") as server:
        await server.client.post("/v1/chat/completions", json=BODY)
        assert await rows(server) == []
