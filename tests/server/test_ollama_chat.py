"""`/api/chat` over HTTP: what its lines hold, and what they measure."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx2
import pytest

from tests.server.openai_server import Running
from tests.server.running import eventually

SUM = [{"role": "user", "content": "What is 3 plus 4?"}]
WEATHER = [{"role": "user", "content": "What is the weather in Rome?"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
EXACT = {"temperature": 0}
DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")


def chat(http: httpx2.Client, **body: Any) -> Mapping[str, Any]:
    """The whole answer."""
    answer = http.post("/api/chat", json={"model": "pony", "messages": SUM, "stream": False, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def lines(http: httpx2.Client, **body: Any) -> list[Mapping[str, Any]]:
    """The lines of the stream, which is what comes when nothing is said about it."""
    answer = http.post("/api/chat", json={"model": "pony", "messages": SUM, **body})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.text.endswith("\n")
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_stream_is_the_default_and_says_the_same(http: httpx2.Client) -> None:
    """Clients read line by line; one that is empty or half would end them."""
    whole = chat(http, options=EXACT)
    parts = lines(http, options=EXACT)
    assert "".join(part["message"]["content"] for part in parts) == whole["message"]["content"] == "3 + 4 = 7."
    assert [part["done"] for part in parts] == [False] * (len(parts) - 1) + [True]
    assert all(part["message"]["role"] == "assistant" and part["model"] == "pony" for part in parts)
    assert all(datetime.fromisoformat(part["created_at"]).tzinfo is not None for part in parts)
    assert parts[-1]["eval_count"] == whole["eval_count"]
    assert not set(DURATIONS) & set(parts[0])


def test_durations_are_measured_and_add_up(http: httpx2.Client, server: Running) -> None:
    """People divide eval_count by eval_duration to see how fast a model is; loading must not be in it."""
    server.ask(lambda: server.rooms.pool.unload("pony", force=True))
    cold, warm = chat(http, options=EXACT), chat(http, options=EXACT)
    for answer in (cold, warm):
        parts = sum(answer[name] for name in DURATIONS[1:])
        assert parts == pytest.approx(answer["total_duration"], rel=0.01)
        assert min(answer["prompt_eval_duration"], answer["eval_duration"]) > 0
        assert (answer["prompt_eval_count"], answer["eval_count"]) == (16, 9)
    assert cold["load_duration"] > 0
    assert warm["load_duration"] == 0


def test_a_tool_is_called_and_its_result_is_used(http: httpx2.Client) -> None:
    """Ollama's calls come whole, with arguments that are an object; results have no id and find their call by name."""
    called = chat(http, messages=WEATHER, tools=[TOOL], options=EXACT)
    (call,) = called["message"]["tool_calls"]
    assert call["function"] == {"index": 0, "name": "get_weather", "arguments": {"city": "Rome"}}
    assert called["done_reason"] == "stop"
    parts = lines(http, messages=WEATHER, tools=[TOOL], options=EXACT)
    streamed = [call for part in parts for call in part["message"].get("tool_calls", [])]
    assert [each["function"] for each in streamed] == [call["function"]]
    assert not any("<" in part["message"]["content"] for part in parts), "markup is never shown"
    for naming in ({"tool_name": "get_weather"}, {"tool_call_id": call["id"]}, {}):
        result = {"role": "tool", "content": "22 degrees and sunny", **naming}
        told = chat(http, messages=[*WEATHER, called["message"], result], tools=[TOOL], options=EXACT)
        assert "22" in told["message"]["content"]


def test_a_thought_comes_apart_from_the_answer_and_only_when_asked_for(http: httpx2.Client) -> None:
    plain, thought = chat(http, options=EXACT), chat(http, think=True, options=EXACT)
    assert "thinking" not in plain["message"]
    assert thought["message"]["thinking"]
    assert "think>" not in thought["message"]["content"] + thought["message"]["thinking"]
    given_back = [*SUM, thought["message"], {"role": "user", "content": "What is 2 plus 2?"}]
    assert "4" in chat(http, messages=given_back, options=EXACT)["message"]["content"]


def test_options_are_honoured(http: httpx2.Client) -> None:
    """Each of them changes what comes, or the same request would."""
    story = [{"role": "user", "content": "Tell me a story about a horse."}]
    assert chat(http, messages=story, options={"num_predict": 3})["eval_count"] == 3
    assert chat(http, messages=story, options={"num_predict": 3})["done_reason"] == "length"
    free = chat(http, messages=story, options={**EXACT, "num_predict": 30})["message"]["content"]
    word = free.split()[3]
    assert chat(http, messages=story, options={**EXACT, "stop": word})["message"]["content"] == free.split(word)[0]
    seeded = {"seed": 7, "temperature": 1.5, "num_predict": 12}
    texts = {chat(http, messages=story, options=seeded)["message"]["content"] for _ in range(2)}
    assert len(texts) == 1
    likeliest = chat(http, messages=story, options={"temperature": 2, "top_k": 1, "num_predict": 30})
    assert likeliest["message"]["content"] == free


def test_what_is_left_out_comes_from_the_models_options(http: httpx2.Client) -> None:
    """The server of these tests is set to 9 tokens for `foal`; -1 asks for as many as fit."""
    story = [{"role": "user", "content": "Once upon a time"}]
    assert chat(http, model="foal", messages=story, options={"temperature": 1.5, "seed": 1})["eval_count"] <= 9
    assert chat(http, model="foal", messages=story, options={"num_predict": -1, "seed": 1})["eval_count"] > 9


def test_what_changes_nothing_is_named(http: httpx2.Client) -> None:
    """Settings of llama.cpp come with many clients' requests; a person should see that they did nothing."""
    body = {"model": "pony", "messages": SUM, "options": {"num_gpu": 99, "num_thread": 8, "num_predict": 2}}
    answer = http.post("/api/chat", json={**body, "truncate": True, "frobnicate": 1})
    assert answer.status_code == 200
    named = answer.headers["x-paddock-ignored"].split(", ")
    assert set(named) == {"options.num_gpu", "options.num_thread", "truncate", "frobnicate"}


def test_log_probabilities_are_shown_when_asked_for(http: httpx2.Client) -> None:
    answer = chat(http, options=EXACT, logprobs=True, top_logprobs=3)
    entries = answer["logprobs"]
    assert b"".join(bytes(entry["bytes"]) for entry in entries).decode() == answer["message"]["content"]
    assert all(len(entry["top_logprobs"]) == 3 for entry in entries)
    assert all(entry["logprob"] <= 0 for entry in entries)


def test_a_model_is_loaded_and_unloaded_without_a_message(http: httpx2.Client) -> None:
    """Ollama's clients do so when a person picks a model, or leaves."""
    left = chat(http, messages=[], keep_alive=0)
    assert (left["done_reason"], left["message"]["content"], left["done"]) == ("unload", "", True)
    assert in_memory(http) is None
    assert chat(http, messages=[], keep_alive="5m")["done_reason"] == "load"
    held = in_memory(http)
    assert held is not None
    assert held["model"] == "pony:latest"
    assert held["size"] > 0
    forever = http.post("/api/generate", json={"model": "pony", "keep_alive": -1})
    assert forever.json()["done_reason"] == "load"
    held = in_memory(http)
    assert held is not None
    assert held["expires_at"].startswith("2318")


def test_a_model_that_is_kept_for_nothing_leaves_after_its_answer(http: httpx2.Client) -> None:
    chat(http, keep_alive="0s", options=EXACT)
    assert eventually(lambda: in_memory(http) is None)


def test_a_client_that_leaves_ends_its_request(http: httpx2.Client, server: Running) -> None:
    """ENG-09: nobody reads on; within a step the model's time belongs to others."""
    chat(http, options={"num_predict": 1})
    before = server.ask(server.rooms.pool.stats)["pony"]
    # So hot that an end is as unlikely as any other token.
    body = {
        "model": "pony",
        "messages": SUM,
        "options": {"num_predict": 1500, "temperature": 10, "top_p": 1, "seed": 1},
    }
    with http.stream("POST", "/api/chat", json=body) as answer:
        next(answer.iter_lines())
    assert eventually(lambda: not server.ask(server.rooms.pool.stats)["pony"].running)
    after = server.ask(server.rooms.pool.stats)["pony"]
    assert after.tokens - before.tokens < 1000


def in_memory(http: httpx2.Client) -> Mapping[str, Any] | None:
    """What `/api/ps` says of pony."""
    models = http.get("/api/ps").json()["models"]
    return next((model for model in models if model["name"] == "pony:latest"), None)
