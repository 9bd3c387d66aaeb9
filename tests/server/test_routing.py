"""Clients of every dialect are answered by others, through rules and failover, and see in headers by whom."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from paddock.audit.ledger import AuditFilter
from paddock.audit.record import AuditRow
from tests.fakes.clouds import Act, AnthropicCloud, OllamaCloud, OpenAICloud, Reply, in_thread
from tests.server.openai_server import Running, running_server

pytestmark = pytest.mark.xdist_group("routing")


@dataclass
class Far:
    """A server, and two clouds behind it: a rule leads `gpt-…` to the first, and on to the second."""

    server: Running
    first: OpenAICloud
    second: AnthropicCloud
    http: httpx2.Client

    def fresh(self) -> None:
        for cloud in (self.first, self.second):
            cloud.acts.clear()
            cloud.seen.clear()
            cloud.always = None
        self.server.rooms.routing.breakers._records.clear()

    def row(self) -> AuditRow:
        """The latest row of the audit."""
        rooms = self.server.rooms

        async def latest() -> AuditRow:
            while rooms.life.active:  # a client has its answer a moment before the request is over
                await asyncio.sleep(0.01)
            recorder: Any = rooms.recorder
            await recorder.recorder.flush()
            return (await rooms.ledger.list(AuditFilter(), limit=1)).rows[0]

        return self.server.ask(latest)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Far]:
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(in_thread(OpenAICloud()))
        second = stack.enter_context(in_thread(AnthropicCloud()))
        flags = {
            "providers.first.host": first.url,
            "providers.first.options.seed": 7,
            "providers.second.host": second.url,
            "providers.second.kind": "anthropic",
            "failover.attempts_max": 2,
            "failover.hedge_s.rule:hedged": 0.05,
            "options.max_tokens": 12,
        }
        server = stack.enter_context(running_server(tmp_path_factory.mktemp("routing"), flags=flags))
        http = stack.enter_context(httpx2.Client(base_url=server.url, timeout=60))
        targets = [{"provider": "first"}, {"provider": "second", "model": "claude-far"}]
        rule = {"match": "prefix", "pattern": "gpt-", "targets": targets, "test": ["gpt-5"]}
        saved = http.post("/admin/routes/gpt", json=rule)
        assert saved.status_code == 201, saved.text
        assert saved.json()["tests"][0]["decides"]
        yield Far(server, first, second, http)


@pytest.fixture
def far(running: Far) -> Far:
    running.fresh()
    return running


@dataclass(frozen=True, slots=True)
class Dialect:
    path: str
    body: Callable[[str], dict[str, Any]]
    text: Callable[[Any], str]
    failed: Callable[[str], bool]  # whether the end of a stream tells of a failure


CHAT = Dialect(
    "/v1/chat/completions",
    lambda model: {"model": model, "messages": [{"role": "user", "content": "Hi"}]},
    lambda answer: answer["choices"][0]["message"]["content"],
    lambda stream: '"error"' in stream and "[DONE]" not in stream,
)
MESSAGES = Dialect(
    "/v1/messages",
    lambda model: {"model": model, "max_tokens": 20, "messages": [{"role": "user", "content": "Hi"}]},
    lambda answer: answer["content"][0]["text"],
    lambda stream: "event: error" in stream and "message_stop" not in stream,
)
RESPONSES = Dialect(
    "/v1/responses",
    lambda model: {"model": model, "input": "Hi"},
    lambda answer: answer["output"][0]["content"][0]["text"],
    lambda stream: "response.failed" in stream or '"error"' in stream,
)
OLLAMA = Dialect(
    "/api/chat",
    lambda model: {"model": model, "messages": [{"role": "user", "content": "Hi"}]},
    lambda answer: answer["message"]["content"],
    lambda stream: '"error"' in stream.splitlines()[-1],
)
DIALECTS = {"chat": CHAT, "messages": MESSAGES, "responses": RESPONSES, "ollama": OLLAMA}
every_dialect = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)


def said(dialect: Dialect, stream: bool, answer: httpx2.Response) -> str:
    """The text of an answer; of a stream, whether it holds the pieces, once."""
    if not stream:
        return dialect.text(answer.json())
    for piece in ("Hello", " from", " afar"):
        assert answer.text.count(json.dumps(piece)[1:-1]) >= 1
    return "Hello from afar"


@every_dialect
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_rule_leads_elsewhere_and_the_headers_say_where(far: Far, dialect: Dialect, stream: bool) -> None:
    answer = far.http.post(dialect.path, json={**dialect.body("gpt-5"), "stream": stream})
    assert answer.status_code == 200, answer.text
    assert said(dialect, stream, answer) == "Hello from afar"
    headers = answer.headers
    assert (headers["x-paddock-provider"], headers["x-paddock-model"]) == ("first", "gpt-5")
    assert headers["x-paddock-route"] == "rule:gpt"
    assert "x-paddock-attempts" not in headers
    assert far.first.asked[0].body["seed"] == 7, "options of the provider go along"
    if dialect is not MESSAGES:
        assert far.first.asked[0].body["max_tokens"] == 12, "the owner's settings hold where the caller said nothing"


FAILURES = {
    "500": Act(status=500),
    "429": Act(status=429),
    "drop": Act(drop=True),
    "nothing": Act(cut_after=0),
    "nonsense": Act(garble_at=0),
    "a key that is not taken": Act(status=401),
}


@every_dialect
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("act", FAILURES.values(), ids=FAILURES)
def test_before_the_first_word_another_answers(far: Far, dialect: Dialect, stream: bool, act: Act) -> None:
    far.first.next(act)
    answer = far.http.post(dialect.path, json={**dialect.body("gpt-5"), "stream": stream})
    assert answer.status_code == 200, answer.text
    assert said(dialect, stream, answer) == "Hello from afar"
    headers = answer.headers
    assert (headers["x-paddock-provider"], headers["x-paddock-model"]) == ("second", "claude-far")
    assert headers["x-paddock-attempts"] == "2"
    assert (len(far.first.asked), len(far.second.asked)) == (1, 1)
    row = far.row()
    assert (row.rule, row.attempts, row.provider, row.model) == ("gpt", 2, "second", "claude-far")
    assert (row.status, row.error_code, row.completion_tokens) == (200, "", 3)


@every_dialect
def test_after_the_first_word_the_stream_says_that_it_broke(far: Far, dialect: Dialect) -> None:
    far.first.next(Act(cut_after=3))
    answer = far.http.post(dialect.path, json={**dialect.body("gpt-5"), "stream": True})
    assert answer.status_code == 200
    assert "Hello" in answer.text
    assert dialect.failed(answer.text), answer.text
    assert far.second.asked == []
    row = far.row()
    assert (row.status, row.error_code, row.attempts, row.provider) == (200, "answer_broken_off", 1, "first")
    assert row.bytes_out == len(answer.content)
    assert 1 <= row.completion_tokens <= 3, "nobody told them: what was sent is counted"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_when_all_fail_the_audit_says_which_rule_led_where_and_how_often_it_was_tried(far: Far, stream: bool) -> None:
    far.first.always = far.second.always = Act(status=401)
    assert far.http.post(CHAT.path, json={**CHAT.body("gpt-5"), "stream": stream}).status_code == 502
    row = far.row()
    assert (row.rule, row.route, row.attempts, row.asked_model) == ("gpt", "rule:gpt", 2, "gpt-5")
    assert (row.provider, row.model, row.error_code) == ("second", "claude-far", "provider_refused")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"model": "gpt-5", "input": "Hi"}),
        ("/v1/messages/count_tokens", MESSAGES.body("gpt-5")),
    ],
)
def test_so_it_does_for_what_is_no_text(far: Far, path: str, body: dict[str, Any]) -> None:
    far.first.always = far.second.always = Act(status=401)
    assert far.http.post(path, json=body).status_code >= 400
    row = far.row()
    assert (row.rule, row.attempts, row.asked_model) == ("gpt", 2, "gpt-5")


def test_a_rule_that_leads_nowhere_is_named_too(far: Far) -> None:
    rule = {"match": "exact", "pattern": "lost", "targets": [{"model": "nowhere"}], "test": ["lost"]}
    assert far.http.post("/admin/routes/lost", json=rule).status_code == 201
    assert far.http.post(CHAT.path, json=CHAT.body("lost")).status_code == 404
    row = far.row()
    assert (row.rule, row.attempts, row.error_code) == ("lost", 0, "model_not_found")
    far.http.delete("/admin/routes/lost")


@every_dialect
def test_what_breaks_off_before_it_is_whole_is_an_error_where_a_whole_answer_was_asked(
    far: Far, dialect: Dialect
) -> None:
    far.first.next(Act(cut_after=3))
    answer = far.http.post(dialect.path, json={**dialect.body("gpt-5"), "stream": False})
    assert answer.status_code == 502
    assert "broke off" in answer.text


@every_dialect
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_callers_own_mistake_is_a_400_and_goes_nowhere_else(far: Far, dialect: Dialect, stream: bool) -> None:
    far.first.next(Act(status=400, message="`temperature` is not taken by this model"))
    answer = far.http.post(dialect.path, json={**dialect.body("gpt-5"), "stream": stream})
    assert answer.status_code == 400
    assert "is not taken by this model" in answer.text
    assert far.second.asked == []


@every_dialect
def test_too_long_for_everybody_is_a_400_with_both_numbers(far: Far, dialect: Dialect) -> None:
    far.first.next(Act(status=400, message="maximum context length is 8192 tokens, you sent 9000"))
    far.second.next(Act(status=400, message="prompt is too long: 300000 tokens > 200000 maximum"))
    answer = far.http.post(dialect.path, json=dialect.body("gpt-5") | {"stream": False})
    assert answer.status_code == 400
    assert "8192" in answer.text
    assert "9000" in answer.text


def test_when_nobody_can_answer_the_client_learns_when_to_come_back(far: Far) -> None:
    far.first.always = Act(status=429, headers={"retry-after": "60"})
    far.second.always = Act(status=529)
    answer = far.http.post(CHAT.path, json=CHAT.body("gpt-5"))
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "60"
    assert answer.json()["error"]["code"] == "rate_limited"
    assert "Also tried: `claude-far` of `second`" in answer.json()["error"]["hint"]
    resting = far.http.get("/admin/breakers").json()["breakers"]
    assert resting[0]["provider"] == "first"
    assert resting[0]["rest_s"] > 50


def test_rate_limits_come_in_the_clients_dialect(far: Far) -> None:
    told = {"x-ratelimit-remaining-tokens": "42"}
    far.first.next(Act(headers=told), Act(headers=told))
    assert far.http.post(CHAT.path, json=CHAT.body("gpt-5")).headers["x-ratelimit-remaining-tokens"] == "42"
    headers = far.http.post(MESSAGES.path, json=MESSAGES.body("gpt-5")).headers
    assert headers["anthropic-ratelimit-tokens-remaining"] == "42"


def test_a_tools_call_crosses_two_dialects(far: Far) -> None:
    """Anthropic's client, OpenAI's cloud."""
    far.first.next(Act(reply=Reply(text=(), calls=(("add", '{"a": 1}'),))))
    tool = {"name": "add", "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}
    answer = far.http.post(MESSAGES.path, json={**MESSAGES.body("gpt-5"), "tools": [tool]}).json()
    assert answer["stop_reason"] == "tool_use"
    assert answer["content"][0]["input"] == {"a": 1}
    assert far.first.asked[0].body["tools"][0]["function"]["name"] == "add"


def test_models_of_others_are_listed_and_can_be_asked_by_name(far: Far) -> None:
    with openai.OpenAI(base_url=f"{far.server.url}/v1", api_key="none", max_retries=0) as client:
        listed = {model.id: model.owned_by for model in client.models.list()}
        assert listed["far-model"] == "first"
        assert listed["claude-far"] == "second"
        assert "pony" in listed
        assert client.models.retrieve("claude-far").context_window == 200_000  # type: ignore[attr-defined]
        anthropic = {"anthropic-version": "2023-06-01"}
        shown = far.http.get("/v1/models/claude-far", headers=anthropic).json()
        assert (shown["id"], shown["max_input_tokens"]) == ("claude-far", 200_000)
        page = far.http.get("/v1/models", headers=anthropic).json()
        assert {"pony", "far-model", "claude-far"} <= {one["id"] for one in page["data"]}
        answer = client.chat.completions.create(model="first/far-model", messages=[{"role": "user", "content": "Hi"}])
    assert answer.choices[0].message.content == "Hello from afar"


def test_ollamas_clients_see_models_of_others_and_can_ask_each_by_the_name_they_see(far: Far) -> None:
    listed = {model["name"]: model for model in far.http.get("/api/tags").json()["models"]}
    one = listed["far-model:latest"]
    assert (one["remote_model"], one["remote_host"], one["size"]) == ("far-model", "first", 0)
    assert len(one["digest"]) == 64
    assert "remote_host" not in listed["pony:latest"]
    asked = {"messages": [{"role": "user", "content": "Hi"}], "stream": False}
    for name in ("far-model:latest", "claude-far:latest", "first/far-model"):
        assert far.http.post("/api/chat", json={"model": name, **asked}).json()["message"]["content"]
    shown = far.http.post("/api/show", json={"model": "claude-far:latest"}).json()
    assert {"completion", "vision", "tools", "thinking"} <= set(shown["capabilities"])
    assert shown["model_info"]["claude.context_length"] == 200_000
    loaded = far.http.post("/api/generate", json={"model": "far-model:latest"}).json()
    assert (loaded["done"], loaded["done_reason"]) == (True, "load"), "clients load before they ask; it is always there"


def test_tags_in_the_names_of_another_ollama_are_part_of_them(far: Far) -> None:
    with in_thread(OllamaCloud()) as cloud:
        cloud.models = ("qwen3:8b", "far-model:latest")
        body = {"kind": "ollama", "base_url": cloud.url}
        assert far.http.put("/admin/providers/third", json=body).status_code == 200
        names = {model["name"] for model in far.http.get("/api/tags").json()["models"]}
        assert {"qwen3:8b", "far-model:latest", "third/far-model:latest"} <= names
        for name in ("qwen3:8b", "third/far-model:latest"):
            asked = {"model": name, "messages": [{"role": "user", "content": "Hi"}], "stream": False}
            answer = far.http.post("/api/chat", json=asked)
            assert answer.headers["x-paddock-provider"] == "third", answer.text
        assert [seen.body["model"] for seen in cloud.asked] == ["qwen3:8b", "far-model:latest"]
        far.http.delete("/admin/providers/third")


def test_auto_takes_the_built_in_model_and_says_so(far: Far) -> None:
    answer = far.http.post(CHAT.path, json=CHAT.body("auto"))
    assert answer.status_code == 200, answer.text
    assert (answer.headers["x-paddock-route"], answer.headers["x-paddock-model"]) == ("builtin", "pony")
    assert far.http.post(OLLAMA.path, json=OLLAMA.body("auto:code") | {"stream": False}).status_code == 200
    unknown = far.http.post(CHAT.path, json=CHAT.body("auto:kode"))
    assert unknown.status_code == 404
    assert "fast, general, code, creative" in unknown.json()["error"]["hint"]


def test_explain_tells_what_happens_without_asking_anybody(far: Far) -> None:
    told = far.http.post("/admin/route/explain", json={"model": "gpt-5"}).json()
    assert told["rule"] == "gpt"
    assert [(one["provider"], one["model"]) for one in told["targets"]] == [
        ("first", "gpt-5"),
        ("second", "claude-far"),
    ]
    assert far.first.asked == []
    auto = far.http.post("/admin/route/explain", json={"model": "auto:code", "needs": ["vision"]}).json()
    assert auto["targets"][0]["model"] == "pony-vision"
    assert any(one["model"] == "pony" and "context" in one["reason"] for one in auto["considered"])


def test_a_rule_that_is_wrong_is_refused_by_its_field(far: Far) -> None:
    wrong = {"name": "r", "match": "regex", "pattern": "(", "targets": [{"model": "pony"}], "test": ["x"]}
    answer = far.http.post("/admin/routes/test", json=wrong)
    assert answer.status_code == 400
    assert "missing )" in answer.json()["detail"]
    assert answer.json()["param"] == "pattern"
    nobody = {**wrong, "match": "exact", "pattern": "x", "targets": [{"provider": "nobody"}]}
    refusal = far.http.post("/admin/routes/test", json=nobody).json()
    assert "no provider `nobody`" in refusal["detail"]
    assert refusal["param"] == "targets[0].provider"


def test_rules_that_change_hold_at_once(far: Far) -> None:
    rule = {"match": "exact", "pattern": "small", "targets": [{"model": "foal"}]}
    assert far.http.post("/admin/routes/small", json=rule).status_code == 201
    assert far.http.post(CHAT.path, json=CHAT.body("small")).headers["x-paddock-model"] == "foal"
    assert far.http.delete("/admin/routes/small").status_code == 200
    assert far.http.post(CHAT.path, json=CHAT.body("small")).status_code == 404


def test_a_provider_is_kept_tried_and_never_tells_its_key(far: Far) -> None:
    body = {"kind": "openai", "base_url": far.first.url, "key": "sk-hidden"}
    assert far.http.put("/admin/providers/third", json=body).json()["has_key"] is True
    assert far.http.post("/admin/providers/third/test").json()["models"] == ["far-model"]
    assert far.first.seen[-1].headers["authorization"] == "Bearer sk-hidden"
    assert "sk-hidden" not in far.http.get("/admin/providers").text
    assert far.http.delete("/admin/providers/third").status_code == 200
    assert far.http.get("/admin/providers/third").status_code == 404


def test_a_providers_key_is_changed_and_nothing_else(far: Far) -> None:
    """Whoever has only a new key must not have to know, nor settle, everything else about the provider."""
    before = far.http.get("/admin/providers/first").json()
    assert (before["has_key"], before["from_settings"], before["usual"]) == (False, True, ["timeout_s"])
    after = far.http.put("/admin/providers/first/key", json={"key": "sk-new"})
    assert after.json() == {**before, "has_key": True}
    far.http.post("/admin/providers/first/test")
    assert far.first.seen[-1].headers["authorization"] == "Bearer sk-new"
    for wrong in ("sk\nx-evil: 1", "two words", "clé"):
        refusal = far.http.put("/admin/providers/first/key", json={"key": wrong})
        assert (refusal.status_code, refusal.json()["param"]) == (400, "key")
    assert far.http.delete("/admin/providers/first/key").json() == before
    assert far.http.put("/admin/providers/nobody/key", json={"key": "sk"}).status_code == 404


def test_a_key_that_would_be_read_on_the_way_keeps_its_provider_from_being_saved(far: Far) -> None:
    """Half of what was asked for would be a provider that nobody meant."""
    body = {"kind": "openai", "base_url": "http://192.0.2.1/v1", "key": "sk-hidden"}
    refusal = far.http.put("/admin/providers/open", json=body)
    assert (refusal.status_code, refusal.json()["param"]) == (400, "key")
    assert far.http.get("/admin/providers/open").status_code == 404


def test_another_paddock_is_a_provider_like_any(far: Far, tmp_path: Path) -> None:
    with (
        running_server(tmp_path, flags={"providers.peer.host": far.server.url}) as near,
        httpx2.Client(base_url=near.url, timeout=60) as http,
    ):
        body = {
            "model": "peer/pony",
            "messages": [{"role": "user", "content": "What is 3 plus 4?"}],
            "temperature": 0,
        }
        answer = http.post(CHAT.path, json=body)
        assert answer.status_code == 200, answer.text
        assert "7" in CHAT.text(answer.json())
        assert answer.headers["x-paddock-provider"] == "peer"
        assert answer.json()["usage"]["prompt_tokens"] > 5
        streamed = http.post(OLLAMA.path, json=OLLAMA.body("peer/pony"))
        assert streamed.status_code == 200


def test_yesterdays_requests_are_held_against_other_rules(far: Far) -> None:
    """Before a rule is changed its owner sees whom it would move, and what of it cannot be known."""
    assert far.http.post(CHAT.path, json=CHAT.body("gpt-5")).status_code == 200
    assert far.http.post(CHAT.path, json=CHAT.body("pony")).status_code == 200
    asked = len(far.first.asked)
    draft = {"name": "home", "match": "prefix", "pattern": "gpt-", "targets": [{"model": "foal"}]}

    def replay(**body: object) -> Any:
        answer = far.http.post("/admin/route/replay", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def moved(found: Any, name: str) -> list[Any]:
        return [group for group in found["groups"] if group["asked_model"] == name]

    deadline = time.monotonic() + 60
    while not moved(found := replay(rules=[draft]), "gpt-5") and time.monotonic() < deadline:
        time.sleep(0.1)  # rows are written every half second
    group = next(each for each in moved(found, "gpt-5") if each["before"] == {"provider": "first", "model": "gpt-5"})
    assert group["outcome"]["fate"] == "moved"
    assert group["outcome"]["after"] == {"provider": "local", "model": "foal"}
    assert not group["also_now"]
    assert not moved(found, "pony"), "it stays"
    assert found["requests"] == found["same"] + found["moved"] + found["nobody"] + found["undecided"]
    assert any(one["asked_model"] == "gpt-5" for one in found["listed"])
    assert len(far.first.asked) == asked, "nobody is asked"
    nowhere = replay(rules=[], since="2020-01-01T00:00:00Z", limit=0)
    assert moved(nowhere, "gpt-5")[0]["outcome"]["fate"] == "nobody"
    assert nowhere["listed"] == []
    other = replay(routing={"enabled": True, "default_profile": "code"}, until="2020-01-01T00:00:00Z")
    assert other["requests"] == 0
    assert far.http.post("/admin/route/replay", json={}).status_code == 400
    wrong = {"rules": [{**draft, "match": "regex", "pattern": "("}]}
    assert far.http.post("/admin/route/replay", json=wrong).status_code == 400


def test_a_slow_start_is_hedged_and_written_down_once(far: Far) -> None:
    """Two were asked, one answered: one row, with both attempts."""
    targets = [{"provider": "first"}, {"provider": "second", "model": "claude-far"}]
    rule = {"match": "exact", "pattern": "slow", "targets": targets}
    assert far.http.post("/admin/routes/hedged", json=rule).status_code == 201
    try:
        far.first.next(Act(wait_first=asyncio.Event()))
        answer = far.http.post(CHAT.path, json=CHAT.body("slow"))
    finally:
        far.http.delete("/admin/routes/hedged")
    assert answer.status_code == 200, answer.text
    assert CHAT.text(answer.json()) == "Hello from afar"
    assert (answer.headers["x-paddock-provider"], answer.headers["x-paddock-attempts"]) == ("second", "2")
    deadline = time.monotonic() + 60
    while not (far.first.asked[0].left and rows_of(far, "slow")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert far.first.asked[0].left, "the slow one was let go"
    assert [(row["provider"], row["attempts"], row["rule"]) for row in rows_of(far, "slow")] == [
        ("second", 2, "hedged")
    ]


def rows_of(far: Far, model: str) -> list[dict[str, Any]]:
    return far.http.get("/admin/audit", params={"model": model}).json()["rows"]
