"""One request's way, in `/admin` and as a trace at a collector: what it waited for, who was tried, how long it took."""

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.clouds import Act, OpenAICloud, in_thread
from tests.fakes.collector import Collector, attributes
from tests.server.running import Served, served

pytestmark = pytest.mark.xdist_group("timeline")

SECRET = "the colour of the fence behind my house"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def asked(model: str = "pony", **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"What is 3 plus 4? {SECRET}"}]
    return {"model": model, "messages": messages, "max_tokens": 8, "temperature": 0, **more}


async def ask(server: Served, request_id: str, body: dict[str, Any], **headers: str) -> int:
    answer = await server.client.post(
        "/v1/chat/completions", json=body, headers={"x-request-id": request_id, **headers}
    )
    return answer.status_code


async def timeline(server: Served, request_id: str) -> dict[str, Any]:
    answer = await server.client.get(f"/admin/requests/{request_id}/timeline")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_request_tells_what_it_waited_for_in_order(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        assert await ask(server, "first", asked()) == 200
        assert await ask(server, "second", asked(stream=True)) == 200
        first, second = await timeline(server, "first"), await timeline(server, "second")
    for told in (first, second):
        assert [step["name"] for step in told["steps"]] == ["route", "attempt", "lease", "queue", "prompt", "generate"]
        assert [step["parent"] for step in told["steps"]] == [None, None, 1, 1, 1, 1]
        ends = [step["ended_seconds"] for step in told["steps"]]
        assert all(step["began_seconds"] <= step["ended_seconds"] <= told["seconds"] for step in told["steps"])
        lease, queue, prompt, generate = told["steps"][2:]
        assert lease["ended_seconds"] <= queue["began_seconds"] <= queue["ended_seconds"] == prompt["began_seconds"]
        assert prompt["ended_seconds"] <= generate["began_seconds"]
        assert ends[1] >= generate["ended_seconds"], "an attempt takes as long as all that belongs to it"
        assert told["status"] == 200
        assert told["provider"] == "local"
        assert told["model"] == "pony"
        assert told["attempts"] == 1
        assert told["completion_tokens"] > 0
        assert 0 < told["first_token_seconds"] <= told["seconds"]
    load, again = first["steps"][2], second["steps"][2]
    assert load["ended_seconds"] - load["began_seconds"] > again["ended_seconds"] - again["began_seconds"], (
        "the first loads the model, the second finds it"
    )


async def test_each_attempt_is_a_step_and_says_why_it_failed(tmp_path: Path) -> None:
    with in_thread(OpenAICloud()) as cloud:
        cloud.always = Act(status=500)
        async with served(
            tmp_path, PADDOCK_PROVIDERS__FAR__HOST=cloud.url, PADDOCK_FAILOVER__ATTEMPTS_MAX="2"
        ) as server:
            targets = [{"provider": "far", "model": "x"}, {"provider": "local", "model": "pony"}]
            rule = {"match": "exact", "pattern": "mine", "targets": targets}
            assert (await server.client.post("/admin/routes/mine", json=rule)).status_code == 201
            assert await ask(server, "failing-over", asked("mine")) == 200
            told = await timeline(server, "failing-over")
    attempts = [step for step in told["steps"] if step["name"] == "attempt"]
    assert [(one["provider"], one["model"], bool(one["error"])) for one in attempts] == [
        ("far", "x", True),
        ("local", "pony", False),
    ]
    assert told["attempts"] == 2


async def test_what_is_not_remembered_is_a_404(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        answer = await server.client.get("/admin/requests/nobody/timeline")
        assert answer.status_code == 404
        assert answer.json()["code"] == "not_found"
        assert (await server.client.get("/readyz", headers={"x-request-id": "probe"})).status_code == 200
        assert (await server.client.get("/admin/requests/probe/timeline")).status_code == 404, "probes bury the others"


async def test_a_trace_arrives_whole_below_the_callers_own_span_and_without_a_word_of_it(tmp_path: Path) -> None:
    with Collector() as collector:
        settings = {"PADDOCK_TRACES__ENDPOINT": collector.url, "PADDOCK_TRACES__TOKEN": "write-token"}
        async with served(tmp_path, **settings) as server:
            assert await ask(server, "traced", asked(), traceparent=PARENT) == 200
            told = await timeline(server, "traced")
        assert collector.wait_for(7)
    spans = {span.name: span for span in collector.spans}
    assert set(spans) == {
        "POST /v1/chat/completions",
        "chat pony",
        *(f"paddock.{name}" for name in ("route", "lease", "queue", "prompt", "generate")),
    }
    root, attempt = spans["POST /v1/chat/completions"], spans["chat pony"]
    assert (
        {span.trace_id.hex() for span in collector.spans} == {"0af7651916cd43dd8448eb211c80319c"} == {told["trace_id"]}
    )
    assert root.parent_span_id.hex() == "b7ad6b7169203331"
    assert attempt.parent_span_id == spans["paddock.route"].parent_span_id == root.span_id
    assert {spans[f"paddock.{name}"].parent_span_id for name in ("lease", "queue", "prompt", "generate")} == {
        attempt.span_id
    }
    own = attributes(attempt.attributes)
    assert own["gen_ai.operation.name"] == "chat"
    assert own["gen_ai.provider.name"] == "paddock"
    assert own["gen_ai.request.model"] == own["gen_ai.response.model"] == "pony"
    assert own["gen_ai.usage.output_tokens"] == told["completion_tokens"]
    assert attributes(root.attributes)["http.response.status_code"] == 200
    assert root.start_time_unix_nano <= attempt.start_time_unix_nano <= attempt.end_time_unix_nano
    assert collector.resources[0]["service.name"] == "paddock"
    assert collector.headers[0]["authorization"] == "write-token"
    assert not any(SECRET.encode() in body for body in collector.bodies)


async def test_who_wants_no_trace_gets_none(tmp_path: Path) -> None:
    with Collector() as collector:
        async with served(tmp_path, PADDOCK_TRACES__ENDPOINT=collector.url) as server:
            assert await ask(server, "unwanted", asked("nothing"), traceparent=f"{PARENT[:-2]}00") == 404
            assert await ask(server, "wanted", asked("nothing")) == 404
    told = {attributes(span.attributes).get("paddock.request_id") for span in collector.spans}
    assert "wanted" in told
    assert "unwanted" not in told


async def test_nothing_is_sent_where_nobody_said_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that other programs are set up by do not count."""
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        async with served(tmp_path) as server:
            assert await ask(server, "quiet", asked("nothing")) == 404
    assert collector.spans == []


async def test_a_collector_that_is_away_or_broken_costs_no_answer(tmp_path: Path) -> None:
    with Collector(status=400) as collector:
        async with served(tmp_path, PADDOCK_TRACES__ENDPOINT=collector.url) as server:
            assert await ask(server, "unheard", asked("nothing")) == 404
            assert await server.is_well()


async def test_kept_to_this_machine_no_trace_leaves_and_the_ledger_says_so(tmp_path: Path) -> None:
    async with served(tmp_path, PADDOCK_TRACES__ENDPOINT="https://traces.example", PADDOCK_AIRGAP="1") as server:
        assert await ask(server, "kept", asked("nothing")) == 404
        refusals = (await server.client.get("/admin/airgap")).json()["refusals"]
    assert [(one["host"], one["who"]) for one in refusals] == [("traces.example", "traces, `traces.endpoint`")]
