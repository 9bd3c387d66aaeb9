"""Models of four kinds under one limit: one pool, one budget, one order of leaving, and nobody answers for another."""

import asyncio
import base64
import io
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from paddock.app import BUILTIN_MODELS
from tests.runner.llamacpp.writing import F32, as_gguf
from tests.runner.vision.drawings import COLOURS, circle
from tests.server.running import Served, served

REQUESTS = 1000 if os.environ.get("PADDOCK_SOAK") else 40
AT_ONCE = 6
TEXT, SEES, EMBEDS, GGUF = "pony", "pony-vision", "pony-embed", "pony-gguf"


@pytest.fixture(scope="module")
def pony_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return as_gguf(BUILTIN_MODELS / "pony", tmp_path_factory.mktemp("kinds") / f"{GGUF}.gguf", F32)


@pytest.fixture
async def server(tmp_path: Path, pony_gguf: Path) -> AsyncIterator[Served]:
    settings = {"PADDOCK_POOL__MAX_MODELS": "3", "PADDOCK_POOL__MEMORY": "900MB", "PADDOCK_POOL__TURN": "2s"}
    async with served(tmp_path, **settings) as server:
        await server.rooms.library.pull(f"file://{pony_gguf}")
        yield server


async def post(server: Served, path: str, **body: Any) -> Any:
    response = await server.client.post(path, json=body, timeout=120)
    assert response.status_code == 200, response.text
    return response.json()


async def says(server: Served, model: str, content: Any) -> str:
    told = await post(
        server,
        "/v1/chat/completions",
        model=model,
        messages=[{"role": "user", "content": content}],
        temperature=0,
        max_tokens=40,
    )
    assert told["model"] == model
    return str(told["choices"][0]["message"]["content"])


def shown(colour: str) -> list[dict[str, Any]]:
    file = io.BytesIO()
    circle(colour).save(file, "PNG")
    address = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    return [
        {"type": "image_url", "image_url": {"url": address}},
        {"type": "text", "text": "What colour is the circle?"},
    ]


async def test_four_kinds_share_one_pool(server: Served) -> None:
    """Random traffic; every answer is that of its model and its question, and the limits hold at every look."""
    chance = random.Random(7)
    vectors: dict[str, list[float]] = {}
    places = asyncio.Semaphore(AT_ONCE)
    over: list[str] = []

    async def ask(kind: str, number: int) -> None:
        async with places:
            match kind:
                case "sees":
                    colour = chance.choice(sorted(COLOURS))
                    assert colour in await says(server, SEES, shown(colour))
                case "embeds":
                    text = f"How do I download model {number % 3}?"
                    (entry,) = (await post(server, "/v1/embeddings", model=EMBEDS, input=text))["data"]
                    assert vectors.setdefault(text, entry["embedding"]) == pytest.approx(entry["embedding"], abs=1e-5)
                case _:
                    one, other = chance.randint(1, 9), chance.randint(1, 9)
                    answer = await says(server, kind, f"What is {one} plus {other}?")
                    assert str(one + other) in answer

    async def watch() -> None:
        while True:
            status = server.rooms.pool.status()
            if status.used_bytes > status.budget_bytes or len(status.models) > 3:
                over.append(f"{status.used_bytes} of {status.budget_bytes} by {sorted(status.models)}")
            await asyncio.sleep(0.02)

    watcher = asyncio.create_task(watch())
    kinds = [chance.choice([TEXT, GGUF, "sees", "embeds"]) for _ in range(REQUESTS)]
    await asyncio.gather(*(ask(kind, number) for number, kind in enumerate(kinds)))
    watcher.cancel()
    assert over == []
    counters = server.rooms.pool.status().counters
    assert counters.loads > 4, "one of the four always had to be brought back"


async def test_who_was_used_longest_ago_leaves_first_whatever_its_kind(server: Served) -> None:
    await says(server, TEXT, "Hello!")
    await post(server, "/v1/embeddings", model=EMBEDS, input="Hello!")
    await says(server, SEES, shown("red"))
    await says(server, TEXT, "Hello again!")
    await says(server, GGUF, "Hello!")
    assert sorted(server.rooms.pool.status().models) == sorted([TEXT, SEES, GGUF])
    status = (await server.client.get("/admin/models/status")).json()["loaded_models"]
    assert {name: model["model_type"] for name, model in status.items()} == {TEXT: "text", SEES: "vision", GGUF: "text"}
    assert {model["format"] for model in status.values()} == {"mlx", "gguf"}


async def test_twenty_who_ask_at_once_load_each_kind_once(server: Served) -> None:
    """However many ask for a model that sees or embeds, its files are read once."""
    asked = [says(server, SEES, shown("blue")) for _ in range(10)]
    vectors = [post(server, "/v1/embeddings", model=EMBEDS, input=f"text {number}") for number in range(10)]
    await asyncio.gather(*asked, *vectors)
    assert server.rooms.pool.status().counters.loads == 2
