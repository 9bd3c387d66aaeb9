"""Routers and roles with the model that comes with the program: how often it is right, and what clients see of it."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from benchmarks.router import RIGHT_MIN, ROUTER
from benchmarks.router_questions import QUESTIONS

from tests.server.openai_server import Running, running_server

pytestmark = pytest.mark.xdist_group("routing")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    flags = {
        "model.routing.routers.topics.model": "pony",
        "model.routing.routers.topics.timeout_s": 120,
        "model.routing.roles.worker": "foal",
        "options.max_tokens": 4,
    }
    for name, (to, description) in ROUTER.items():
        flags[f"model.routing.routers.topics.routes.{name}.to"] = to
        flags[f"model.routing.routers.topics.routes.{name}.description"] = description
    with running_server(tmp_path_factory.mktemp("routers"), flags=flags) as server:
        yield server


@pytest.fixture
def http(server: Running) -> Generator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=180) as http:
        yield http


def chat(model: str, text: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}]}


def test_pony_knows_questions_of_its_own_training_apart(http: httpx2.Client) -> None:
    """The bound that `benchmarks router` measures against; chance is 20 of 60."""
    right = 0
    for wanted, questions in QUESTIONS.items():
        assert len(questions) >= 20
        for text in questions:
            found = http.post("/admin/route/explain", json={"model": "router:topics", "text": text}).json()
            right += found["targets"][0]["route"] == f"router:topics/{wanted}"
    assert right >= RIGHT_MIN, right


def test_an_answer_says_which_route_was_picked(http: httpx2.Client) -> None:
    answer = http.post("/v1/chat/completions", json=chat("router:topics", "What is 3 plus 4?"))
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-paddock-route"] == "router:topics/fast"
    assert answer.headers["x-paddock-model"] == "foal", "the worker"
    story = http.post("/v1/messages", json={**chat("router:topics", "Tell me a story about a cat."), "max_tokens": 4})
    assert (story.headers["x-paddock-route"], story.headers["x-paddock-model"]) == ("router:topics/creative", "pony")
    worker = http.post("/v1/chat/completions", json=chat("role:worker", "Hi"))
    assert (worker.headers["x-paddock-route"], worker.headers["x-paddock-model"]) == ("role:worker", "foal")
    assert http.post("/v1/chat/completions", json=chat("role:nobody", "Hi")).status_code == 404


def test_explain_shows_the_decision_and_replay_does_not_guess_it(http: httpx2.Client) -> None:
    body = {"model": "router:topics", "text": "How do I download a model?"}
    steps = http.post("/admin/route/explain", json=body).json()["steps"]
    assert any("takes it for `general`" in step for step in steps)
    again = http.post("/admin/route/explain", json=body).json()["steps"]
    assert any("as it did before" in step for step in again)
    unread = http.post("/admin/route/explain", json={"model": "router:topics"}).json()
    assert any("has to read the text" in step for step in unread["steps"])
    assert unread["targets"], "the profile answers"


def test_a_router_whose_model_is_not_there_leaves_it_to_the_profile(tmp_path: Path) -> None:
    flags = {
        "model.routing.routers.lost.model": "nobody",
        "model.routing.routers.lost.routes.a.to": "foal",
        "options.max_tokens": 2,
    }
    with (
        running_server(tmp_path, flags=flags) as server,
        httpx2.Client(base_url=server.url, timeout=180) as http,
    ):
        answer = http.post("/v1/chat/completions", json=chat("router:lost", "Hi"))
    assert answer.status_code == 200
    assert answer.headers["x-paddock-route"] == "router:lost"
