"""Models as Ollama's API lists, shows, pulls, copies and deletes them."""

import json
from collections.abc import Generator

import httpx2
import pytest

from paddock.app import BUILTIN_MODELS
from tests.fakes.faults import Corrupt, Slow
from tests.fakes.huggingface import HuggingFaceHub
from tests.fakes.ollama import OllamaRegistry
from tests.library import models
from tests.server.openai_server import Running, running_server
from tests.server.running import eventually


@pytest.fixture(scope="module")
def registry() -> Generator[OllamaRegistry]:
    with OllamaRegistry() as registry:
        for number, name in enumerate(("tiny:latest", "tiny:chatty", "ada/own:1b", "slow:latest", "broken:latest")):
            registry.add_model(name, {"model": models.gguf(kib=64, seed=number), "license": b"MIT"})
        yield registry


@pytest.fixture(scope="module")
def hub() -> Generator[HuggingFaceHub]:
    with HuggingFaceHub() as hub:
        hub.add_repo("org/tiny", models.mlx(), license="apache-2.0", tags=("mlx",), pipeline_tag="text-generation")
        files = {path.name: path.read_bytes() for path in (BUILTIN_MODELS / "pony").iterdir()}
        hub.add_repo("org/runs", files, license="apache-2.0", tags=("mlx",), pipeline_tag="text-generation")
        yield hub


@pytest.fixture(scope="module")
def pulling(
    tmp_path_factory: pytest.TempPathFactory, registry: OllamaRegistry, hub: HuggingFaceHub
) -> Generator[Running]:
    """A server whose hubs are on loopback."""
    flags = {"hub.ollama_registry": registry.url, "hub.endpoint": hub.url, "hub.retries": 0}
    with running_server(tmp_path_factory.mktemp("pulling"), flags=flags) as server:
        yield server


@pytest.fixture
def http(pulling: Running) -> Generator[httpx2.Client]:
    with httpx2.Client(base_url=pulling.url, timeout=60) as http:
        yield http


def names(http: httpx2.Client) -> list[str]:
    return [model["name"] for model in http.get("/api/tags").json()["models"]]


def progress(http: httpx2.Client, name: str) -> list[dict[str, object]]:
    answer = http.post("/api/pull", json={"model": name})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_every_name_that_is_listed_is_one_that_can_be_asked_for(http: httpx2.Client) -> None:
    """Clients compare what a person typed, with `:latest` added, to the list, and send back what it has."""
    listed = names(http)
    assert "pony:latest" in listed
    for model in http.get("/api/tags").json()["models"]:
        assert len(model["digest"]) == 64, "clients cut it without looking"
        assert model["model"] == model["name"]
        shown = http.post("/api/show", json={"model": model["name"]})
        assert shown.status_code == 200
        assert shown.json()["details"] == model["details"]


def test_a_model_shows_what_it_can_do(http: httpx2.Client) -> None:
    """Clients offer tools, pictures and thoughts by this list."""
    shown = http.post("/api/show", json={"name": "pony"}).json()
    assert {"completion", "tools", "thinking"} <= set(shown["capabilities"])
    architecture = shown["model_info"]["general.architecture"]
    assert shown["model_info"][f"{architecture}.context_length"] == 2048
    assert "temperature" in shown["parameters"]
    assert http.post("/api/show", json={"model": "pony-embed"}).json()["capabilities"] == ["embedding"]


def test_the_version_is_that_of_the_api(http: httpx2.Client, pulling: Running) -> None:
    """Clients refuse a server that says less than they need."""
    told = http.get("/api/version").json()
    assert [int(part) for part in told["version"].split(".")] >= [0, 6, 4]
    assert told["paddock"] == pulling.rooms.version


def test_a_pull_tells_its_progress_and_the_model_is_there(http: httpx2.Client) -> None:
    told = progress(http, "tiny:chatty")
    assert told[0] == {"status": "pulling manifest"}
    assert told[-1] == {"status": "success"}
    moved = [line for line in told if "digest" in line]
    assert moved[0]["completed"] == 0
    assert moved[-1]["completed"] == moved[-1]["total"]
    assert len({line["digest"] for line in moved}) == 1, "clients draw a bar for each"
    assert all(str(line["digest"])[7:19] in str(line["status"]) for line in moved)
    assert "tiny:chatty" in names(http)
    assert progress(http, "tiny:chatty")[-1] == {"status": "success"}, "again is fine"


def test_models_of_people_and_of_the_other_hub_are_pulled_by_their_names(http: httpx2.Client) -> None:
    """`hf.co/…` is how Ollama's clients name Hugging Face."""
    assert http.post("/api/pull", json={"model": "ada/own:1b", "stream": False}).json() == {"status": "success"}
    assert http.post("/api/pull", json={"model": "hf.co/org/tiny", "stream": False}).json() == {"status": "success"}
    assert {"ada/own:1b", "org/tiny:latest"} <= set(names(http))
    for name in ("ada/own:1b", "hf.co/org/tiny", "hf.co/org/tiny:latest"):
        assert http.post("/api/show", json={"model": name}).status_code == 200, name


def test_what_the_registry_does_not_have_is_a_404(http: httpx2.Client) -> None:
    """Before the stream begins, so that it has a status."""
    answer = http.post("/api/pull", json={"model": "nothing:8b"})
    assert answer.status_code == 404
    assert "nothing:8b" in answer.json()["error"]


def test_a_pull_that_fails_ends_with_a_line_that_says_why(http: httpx2.Client, registry: OllamaRegistry) -> None:
    """The stream has begun: its last line is all that is left."""
    registry.fail("*broken*", Corrupt(at=len(models.gguf(kib=64)) - 1), at="storage", times=None)
    told = progress(http, "broken")
    assert "success" not in str(told)
    assert set(told[-1]) == {"error", "code", "hint"}


def test_a_pull_goes_on_without_its_watcher(http: httpx2.Client, registry: OllamaRegistry) -> None:
    """It is the server's job; whoever comes back finds it done, or further on."""
    registry.fail("*slow*", Slow(bytes_per_s=100_000), at="storage", times=None)
    with http.stream("POST", "/api/pull", json={"model": "slow"}) as answer:
        next(answer.iter_lines())
    assert eventually(lambda: "slow:latest" in names(http))


def test_a_copy_is_a_name_and_goes_without_its_model(http: httpx2.Client) -> None:
    assert http.post("/api/copy", json={"source": "pony", "destination": "mine:latest"}).status_code == 200
    assert "mine:latest" in names(http)
    question = {"messages": [{"role": "user", "content": "What is 3 plus 4?"}], "stream": False}
    answer = http.post("/api/chat", json={"model": "mine", **question})
    assert answer.json()["model"] == "mine"
    assert answer.headers["x-paddock-model"] == "pony"
    assert http.request("DELETE", "/api/delete", json={"model": "mine"}).status_code == 200
    assert "mine:latest" not in names(http)
    assert "pony:latest" in names(http)


def test_a_model_in_use_is_not_deleted_and_an_idle_one_leaves_memory_for_it(
    http: httpx2.Client, pulling: Running
) -> None:
    """Somebody waits for its answer; one that only waits for a next question is in nobody's way."""
    assert progress(http, "hf.co/org/runs")[-1] == {"status": "success"}
    lease = pulling.rooms.pool.lease("org/runs", user="request of somebody")
    pulling.ask(lease.__aenter__)
    refused = http.request("DELETE", "/api/delete", json={"model": "org/runs"})
    assert refused.status_code == 409
    assert "request of somebody" in refused.json()["error"]
    pulling.ask(lambda: lease.__aexit__(None, None, None))
    assert "org/runs" in http.get("/api/ps").text
    assert http.request("DELETE", "/api/delete", json={"model": "org/runs"}).status_code == 200
    assert "org/runs:latest" not in names(http)
    assert "org/runs" not in http.get("/api/ps").text
