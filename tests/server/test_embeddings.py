"""Vectors and scores over HTTP, with the clients that people bring."""

import asyncio
import base64
import threading
from collections.abc import Generator
from typing import Any

import httpx2
import numpy as np
import openai
import pytest

from tests.server.openai_server import Running, running_server
from tests.server.running import eventually

pytestmark = pytest.mark.xdist_group("embeddings")

PAIR = ("How do I download a model?", "How can I get a model onto my disk?")
OTHER = "What is 3 plus 4?"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    flags = {"server.inputs_max": 600}
    with running_server(tmp_path_factory.mktemp("embeddings"), flags=flags) as server:
        yield server


@pytest.fixture
def http(server: Running) -> Generator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=120) as http:
        yield http


@pytest.fixture
def client(server: Running) -> Generator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def likeness(one: list[float], other: list[float]) -> float:
    return float(np.dot(one, other))


def test_openai_s_client_gets_neighbours_for_paraphrases(client: openai.OpenAI) -> None:
    """It asks for base64 by itself, and decodes it."""
    answer = client.embeddings.create(model="pony-embed", input=[*PAIR, OTHER])
    one, same, other = (each.embedding for each in answer.data)
    assert [each.index for each in answer.data] == [0, 1, 2]
    assert likeness(one, same) > 0.9 > likeness(one, other)
    assert likeness(one, one) == pytest.approx(1, abs=1e-6)
    assert (answer.model, answer.object) == ("pony-embed", "list")
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 15
    plain = client.embeddings.create(model="pony-embed", input=PAIR[0], encoding_format="float")
    assert plain.data[0].embedding == pytest.approx(one, abs=2e-6)


async def test_a_hundred_at_once_beside_a_chat_that_goes_on(server: Running) -> None:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        alone = (await client.embeddings.create(model="pony-embed", input=PAIR[0])).data[0].embedding
        question = {"role": "user", "content": "Tell me a story about a horse."}
        story = await client.chat.completions.create(model="pony", messages=[question], stream=True, max_tokens=60)  # pyright: ignore[reportArgumentType, reportCallIssue, reportUnknownVariableType]

        async def read() -> str:
            return "".join([chunk.choices[0].delta.content or "" async for chunk in story if chunk.choices])

        reading = asyncio.create_task(read())
        answers = await asyncio.gather(
            *(client.embeddings.create(model="pony-embed", input=[PAIR[0], OTHER * (n % 7 + 1)]) for n in range(100))
        )
        for answer in answers:
            assert answer.data[0].embedding == pytest.approx(alone, abs=2e-6)
        assert len(await reading) > 40


def test_the_same_vectors_as_numbers_and_as_bytes(http: httpx2.Client) -> None:
    asked = {"model": "pony-embed", "input": PAIR[0]}
    numbers = http.post("/v1/embeddings", json=asked).json()["data"][0]["embedding"]
    answer = http.post("/v1/embeddings", json={**asked, "encoding_format": "base64"})
    assert np.frombuffer(base64.b64decode(answer.json()["data"][0]["embedding"]), "<f4").tolist() == numbers
    assert answer.headers["x-paddock-model"] == "pony-embed"
    assert answer.headers["x-paddock-route"] == "exact"


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ({"input": ""}, "input", "empty text"),
        ({"input": []}, "input", "empty"),
        ({"input": ["a", ""]}, "input[1]", "empty text"),
        ({"input": ["a", 3]}, "input[1]", "no text"),
        ({"input": [[1, 2], "a", [-1]]}, "input[2][0]", "no token id"),
        ({"input": [[]]}, "input[0]", "0 tokens"),
        ({"input": {"text": "a"}}, "input", "no text and no list"),
        ({"input": ["a"] * 601}, "input", "601 inputs"),
        ({}, "input", "missing"),
        ({"input": "a", "model": None}, "model", "missing"),
        ({"input": "a", "dimensions": 0}, "dimensions", "0"),
        ({"input": "a", "dimensions": 64}, "dimensions", "256 numbers"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format", "hex"),
        ({"input": "horse " * 600}, "input", "pony-embed` reads 512"),
        ({"input": [[5000]]}, "input", "0 to 4095"),
        ({"input": "a", "input_type": "haiku"}, "input_type", "haiku"),
        ({"input": "a", "model": "pony"}, "model", "/v1/chat/completions"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(http: httpx2.Client, body: dict[str, Any], param: str, says: str) -> None:
    answer = http.post("/v1/embeddings", json={"model": "pony-embed", **body})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert says in error["message"]


def test_models_on_the_wrong_endpoint_name_the_right_one(http: httpx2.Client) -> None:
    chat = http.post(
        "/v1/chat/completions", json={"model": "pony-embed", "messages": [{"role": "user", "content": "a"}]}
    )
    assert chat.status_code == 400
    assert chat.json()["error"]["code"] == "wrong_kind_of_model"
    assert "/v1/embeddings" in chat.json()["error"]["message"]
    for model in ("pony", "pony-embed"):
        rerank = http.post("/v1/rerank", json={"model": model, "query": "a", "documents": ["b"]})
        assert (rerank.status_code, rerank.json()["error"]["param"]) == (400, "model")
    assert http.post("/v1/embeddings", json={"model": "missing", "input": "a"}).status_code == 404


def test_what_was_cut_is_told(http: httpx2.Client) -> None:
    answer = http.post("/v1/embeddings", json={"model": "pony-embed", "input": ["horse " * 600, "a"], "truncate": True})
    assert answer.json()["usage"]["truncated_tokens"] == 90
    assert answer.headers["x-paddock-truncated"] == "1 inputs, 90 tokens"
    ollama = http.post("/api/embed", json={"model": "pony-embed", "input": "horse " * 600})
    assert ollama.json()["prompt_eval_count"] == 512
    assert ollama.headers["x-paddock-truncated"] == "1 inputs, 90 tokens"
    refused = http.post("/api/embed", json={"model": "pony-embed", "input": "horse " * 600, "truncate": False})
    assert refused.status_code == 400
    assert "512" in refused.json()["error"]


def test_ollama_s_endpoints_answer_alike(http: httpx2.Client) -> None:
    many = http.post("/api/embed", json={"model": "pony-embed:latest", "input": [*PAIR, OTHER], "options": {"seed": 1}})
    told = many.json()
    assert told["model"] == "pony-embed:latest"
    assert likeness(told["embeddings"][0], told["embeddings"][1]) > likeness(
        told["embeddings"][0], told["embeddings"][2]
    )
    assert told["total_duration"] >= told["load_duration"] >= 0
    assert many.headers["x-paddock-ignored"] == "options.seed"
    older = http.post("/api/embeddings", json={"model": "pony-embed", "prompt": PAIR[0]}).json()["embedding"]
    assert older == pytest.approx(told["embeddings"][0], abs=2e-6)


def test_without_input_ollama_s_endpoints_only_load(http: httpx2.Client) -> None:
    assert http.post("/api/embed", json={"model": "pony-embed"}).json()["embeddings"] == []
    assert http.post("/api/embeddings", json={"model": "pony-embed"}).json() == {"embedding": []}
    assert http.post("/api/embed", json={"model": "pony-embed", "input": ["a", ""]}).status_code == 400
    assert http.post("/api/embed", json={"model": "pony-embed", "input": [1, 2]}).status_code == 400


def test_rerank_refuses_by_field(http: httpx2.Client) -> None:
    for body, param in (
        ({"query": ""}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": ["a", 3]}, "documents[1]"),
        ({"documents": [{"title": "a"}]}, "documents[0]"),
        ({"top_n": 0}, "top_n"),
    ):
        answer = http.post("/v1/rerank", json={"model": "pony-embed", "query": "a", "documents": ["b"], **body})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_client_that_leaves_leaves_nothing_behind(server: Running, http: httpx2.Client) -> None:
    def leave() -> None:
        with httpx2.Client(base_url=server.url, timeout=0.05) as hasty, pytest.raises(httpx2.TimeoutException):
            hasty.post("/v1/embeddings", json={"model": "pony-embed", "input": ["horse " * 400] * 500})

    leaving = threading.Thread(target=leave)
    leaving.start()
    leaving.join()
    eventually(lambda: all(model.leases == 0 for model in server.rooms.pool.status().models.values()))
    assert http.post("/v1/embeddings", json={"model": "pony-embed", "input": "a"}).status_code == 200


def test_openapi_describes_them(http: httpx2.Client) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    for path in ("/v1/embeddings", "/v1/rerank", "/api/embed", "/api/embeddings"):
        operation = paths[path]["post"]
        assert operation["requestBody"]["content"]["application/json"]["schema"]["properties"]["model"]
        assert operation["responses"]["200"]["content"]["application/json"]["schema"]
