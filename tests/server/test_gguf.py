"""A GGUF model behind the server: every dialect, the pool, and a file that is broken. pony, converted, so that answers mean
something."""

import asyncio
import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from paddock.app import BUILTIN_MODELS
from tests.runner.llamacpp.writing import F32, Q8_0, as_gguf
from tests.server.openai_server import Running, running_server

pytestmark = pytest.mark.xdist_group("gguf")

SUM = [{"role": "user", "content": "What is 3 plus 4?"}]
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}


@dataclass
class Site:
    server: Running
    http: httpx2.Client

    def post(self, path: str, **body: Any) -> Any:
        answer = self.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    folder = tmp_path_factory.mktemp("gguf-server")
    as_gguf(BUILTIN_MODELS / "pony", folder / "whole.gguf", F32)
    as_gguf(BUILTIN_MODELS / "pony", folder / "small.gguf", Q8_0)
    data = (folder / "small.gguf").read_bytes()
    (folder / "broken.gguf").write_bytes(data)
    flags = {"pool.max_models": 1, "options.max_tokens": 60}
    with (
        running_server(folder, flags=flags) as server,
        httpx2.Client(base_url=server.url, timeout=120) as http,
    ):
        for name in ("whole", "small", "broken"):
            server.ask(lambda name=name: _register(server, folder / f"{name}.gguf"))
        (folder / "broken.gguf").write_bytes(data[: len(data) // 2])
        yield Site(server, http)


async def _register(server: Running, path: Path) -> None:
    await server.rooms.library.pull(path.as_uri())


def test_openai_s_dialect(site: Site) -> None:
    answer = site.post("/v1/chat/completions", model="whole", messages=SUM, temperature=0, logprobs=True, stop=["="])
    choice = answer["choices"][0]
    assert choice["message"]["content"] == "3 + 4 "
    assert all(token["logprob"] <= 0 for token in choice["logprobs"]["content"])
    function = {"name": "weather", "description": "The weather in a city.", "parameters": WEATHER}
    tool = {"type": "function", "function": function}
    asked = [{"role": "user", "content": "What is the weather in Rome?"}]
    called = site.post("/v1/chat/completions", model="whole", messages=asked, temperature=0, tools=[tool])
    (call,) = called["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"city": "Rome"}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"enum": [1, 2]}, "strict": True}}
    held = site.post("/v1/chat/completions", model="whole", messages=SUM, response_format=form, n=2)
    assert {json.loads(each["message"]["content"]) for each in held["choices"]} <= {1, 2}


def test_anthropic_s_dialect(site: Site) -> None:
    answer = site.post("/v1/messages", model="whole", messages=SUM, max_tokens=60, temperature=0)
    assert "7" in answer["content"][0]["text"]
    counted = site.post("/v1/messages/count_tokens", model="whole", messages=SUM)
    assert counted["input_tokens"] == answer["usage"]["input_tokens"] + answer["usage"].get(
        "cache_read_input_tokens", 0
    )


def test_ollama_s_dialect(site: Site) -> None:
    answer = site.post("/api/chat", model="whole", messages=SUM, stream=False, options={"temperature": 0}, think=True)
    assert "7" in answer["message"]["content"]
    assert answer["message"]["thinking"]


def test_a_prompt_that_is_too_long_is_refused_with_both_numbers(site: Site) -> None:
    answer = site.http.post("/v1/completions", json={"model": "whole", "prompt": "word " * 3000, "max_tokens": 1})
    assert answer.status_code == 400
    assert "the context holds 2048" in answer.json()["error"]["message"]
    assert answer.json()["error"]["code"] == "context_length_exceeded"


def test_the_pool_takes_turns_with_other_kinds_of_model(site: Site) -> None:
    """One place: whoever is asked comes, whoever was there leaves."""
    for name in ("whole", "pony", "small"):
        answer = site.post("/v1/chat/completions", model=name, messages=SUM, temperature=0)
        assert "7" in answer["choices"][0]["message"]["content"]
        loaded = site.http.get("/admin/models/status").json()["loaded_models"]
        assert [each for each, told in loaded.items() if told["state"] == "ready"] == [name]


def test_a_broken_file_is_an_answer_and_the_server_lives(site: Site) -> None:
    answer = site.http.post("/v1/chat/completions", json={"model": "broken", "messages": SUM})
    assert answer.status_code >= 400
    assert "Traceback" not in answer.text
    assert str(Path.home()) not in answer.text
    again = site.post("/v1/chat/completions", model="whole", messages=SUM, temperature=0)
    assert "7" in again["choices"][0]["message"]["content"]


def test_a_client_that_leaves_frees_its_place(site: Site) -> None:
    body = {"model": "whole", "messages": SUM, "stream": True, "max_tokens": 1900, "ignore_eos": True}
    with site.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.status_code == 200
        next(answer.iter_bytes())

    async def until_idle() -> None:
        async with asyncio.timeout(30):
            while any(model.leases for model in site.server.rooms.pool.status().models.values()):
                await asyncio.sleep(0.05)

    site.server.ask(until_idle)
