"""What a server writes down about its requests: enough to find one, nothing of what was said."""

import json
from pathlib import Path

import pytest

from tests.server.running import eventually, running

CANARY = "canary-5d1e"
KEY = f"{CANARY}-key"


@pytest.mark.parametrize("level", ["debug", "info"])
def test_neither_prompts_nor_answers_nor_keys_reach_the_log(tmp_path: Path, level: str) -> None:
    """Logs are kept, shipped and read by others; at no level may they hold what people said or sent."""
    with running(tmp_path, PADDOCK_LOG__LEVEL=level, PADDOCK_ADMIN_KEY=KEY, HF_TOKEN=f"{CANARY}-token") as server:
        key = {"x-api-key": KEY}
        said = {"role": "user", "content": f"Repeat after me: {CANARY}"}
        body = {"model": "pony", "messages": [said], "max_tokens": 8, "user": CANARY, "metadata": {"a": CANARY}}
        for more in ({}, {"stream": True}, {"temperature": CANARY}, {"stop": [CANARY], "n": 2}, {"model": CANARY}):
            server.post("/v1/chat/completions", json={**body, **more}, headers=key)
        server.post(
            "/v1/completions", json={"model": "pony", "prompt": CANARY, "max_tokens": 4, "echo": True}, headers=key
        )
        server.post(
            "/v1/chat/completions", content=f"{{{CANARY}".encode(), headers={**key, "content-type": "application/json"}
        )
        server.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {CANARY}"})
        server.get(f"/v1/models/{CANARY}?query={CANARY}", headers={**key, "cookie": CANARY, "referer": CANARY})
        server.get("/nothing", headers={**key, "x-request-id": f"a b {CANARY}", "user-agent": CANARY})
        server.post("/admin/pulls", json={"reference": f"{CANARY}/{CANARY}"}, headers=key)
        assert eventually(lambda: server.log.count('"event":"request"') >= 11)
        kept = (server.state / "logs" / "server.log").read_text()
        shown = server.get("/admin/logs", headers=key).text
        for where, text in {"stderr": server.log, "file": kept, "tail": shown}.items():
            assert '"request"' in text, where
            assert CANARY not in text, (where, [line for line in text.splitlines() if CANARY in line])


def test_a_request_has_one_line_with_all_that_finds_it(tmp_path: Path) -> None:
    """From the id that a client was given to what happened, with one search."""
    with running(tmp_path) as server:
        body = {"model": "pony", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5, "stream": True}
        answer = server.post("/v1/chat/completions", json=body, headers={"x-request-id": "find-me:1"})
        assert answer.headers["x-paddock-request-id"] == "find-me:1"
        missing = server.get("/v1/models/nobody", headers={"x-request-id": "find-me:2"})
        assert missing.status_code == 404
        assert eventually(lambda: '"find-me:2"' in server.log)
        lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
        (asked,) = (line for line in lines if line.get("request_id") == "find-me:1" and line["event"] == "request")
        assert (asked["method"], asked["route"], asked["status"]) == ("POST", "/v1/chat/completions", 200)
        assert asked["model"] == "pony"
        assert 1 <= asked["completion_tokens"] <= 5
        assert asked["prompt_tokens"] > 0
        assert 0 < asked["first_token_ms"] <= asked["ms"]
        (failed,) = (line for line in lines if line.get("request_id") == "find-me:2")
        assert (failed["status"], "{" in failed["route"]) == (404, True), "the pattern, not what was asked for"
        metrics = server.get("/metrics").text
        assert 'paddock_completion_tokens_total{model="pony"}' in metrics
        assert 'paddock_model_state{model="pony",state="ready"} 1.0' in metrics
        assert 'paddock_model_tokens_total{model="pony"}' in metrics
