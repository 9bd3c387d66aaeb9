"""Pictures through the whole server: what a client sends is what the runner gets, in every dialect, and counts the same."""

import base64
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from paddock.app import World
from paddock.images.digest import digest_of
from tests.images.pictures import BLUE, RED, data_uri, encoded, plain
from tests.server.running import Served, served

TOY_RUNNER = (sys.executable, "-P", str(Path(__file__).parent.parent / "fakes" / "toy_runner.py"))
MODEL = "pony-vision"
ONE, TWO = plain(RED, 8), plain(BLUE, 9)
DIALECTS = ("chat", "responses", "anthropic", "ollama", "generate")
Body = Mapping[str, Any]

pytestmark = pytest.mark.xdist_group("images")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    """Every model in it says what it was shown."""
    async with served(tmp_path, world=World(runner_command=TOY_RUNNER)) as server:
        yield server


def shown(data: bytes) -> str:
    """What the toy model says about a picture."""
    with Image.open(BytesIO(data)) as image:
        pixels = image.convert("RGB").tobytes()
        return f"<{image.width}x{image.height} {digest_of(pixels, image.width, image.height)}>"


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def asking(dialect: str, model: str, *pictures: bytes) -> tuple[str, Body]:
    """Where, and what: these pictures, then `!echo`."""
    match dialect:
        case "chat":
            parts = [{"type": "image_url", "image_url": {"url": data_uri(each)}} for each in pictures]
            message = {"role": "user", "content": [*parts, {"type": "text", "text": "!echo"}]}
            return "/v1/chat/completions", {"model": model, "messages": [message]}
        case "responses":
            parts = [{"type": "input_image", "image_url": data_uri(each)} for each in pictures]
            message = {"role": "user", "content": [*parts, {"type": "input_text", "text": "!echo"}]}
            return "/v1/responses", {"model": model, "input": [message]}
        case "anthropic":
            sources = [{"type": "base64", "media_type": "image/png", "data": encode(each)} for each in pictures]
            blocks = [{"type": "image", "source": source} for source in sources]
            message = {"role": "user", "content": [*blocks, {"type": "text", "text": "!echo"}]}
            return "/v1/messages", {"model": model, "max_tokens": 500, "messages": [message]}
        case "ollama":
            message = {"role": "user", "content": "!echo", "images": [encode(each) for each in pictures]}
            return "/api/chat", {"model": model, "stream": False, "messages": [message]}
        case _:
            images = [encode(each) for each in pictures]
            return "/api/generate", {"model": model, "stream": False, "prompt": "!echo", "images": images}


TEXT: Mapping[str, Callable[[Any], str]] = {
    "chat": lambda answer: answer["choices"][0]["message"]["content"],
    "responses": lambda answer: answer["output"][-1]["content"][0]["text"],
    "anthropic": lambda answer: answer["content"][-1]["text"],
    "ollama": lambda answer: answer["message"]["content"],
    "generate": lambda answer: answer["response"],
}


async def test_in_every_dialect_the_model_sees_what_was_sent(server: Served) -> None:
    said = f"user: {shown(ONE)}{shown(TWO)}!echo\n"
    for dialect in DIALECTS:
        path, body = asking(dialect, MODEL, ONE, TWO)
        answer = await server.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        assert TEXT[dialect](answer.json()).strip() == said.strip(), dialect
    path, body = asking("anthropic", MODEL, ONE, TWO)
    counted = await server.client.post(f"{path}/count_tokens", json=body)
    usage = (await server.client.post(path, json=body)).json()["usage"]
    read = usage["input_tokens"] + usage["cache_read_input_tokens"]
    assert counted.json()["input_tokens"] == read == len(said)


async def test_a_response_is_gone_on_from_with_its_pictures(server: Served) -> None:
    path, body = asking("responses", MODEL, ONE)
    first = (await server.client.post(path, json=body)).json()
    body = {"model": MODEL, "previous_response_id": first["id"], "input": "!echo"}
    second = (await server.client.post(path, json=body)).json()
    assert TEXT["responses"](second).startswith(f"user: {shown(ONE)}!echo")


async def test_a_stream_tells_what_was_changed_about_a_picture(
    server: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """In a header, since an answer has no place for it that every client would show."""
    large = encoded(Image.new("RGB", (2500, 1000), RED))
    path, body = asking("chat", MODEL, ONE, large)
    answer = await server.client.post(path, json={**body, "stream": True})
    assert answer.headers["x-paddock-warnings"] == "picture 2 was shrunk from 2500x1000 to 2048x819 pixels"
    pieces = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    assert "<2048x819 " in "".join(piece["choices"][0]["delta"].get("content") or "" for piece in pieces)
    assert any("image.shrunk" in str(record.msg) for record in caplog.records)
    path, body = asking("chat", MODEL, ONE)
    assert "x-paddock-warnings" not in (await server.client.post(path, json=body)).headers


async def test_a_model_of_texts_refuses_pictures_and_names_one_that_sees(server: Served) -> None:
    """Passing over one would give a confident answer about something that was never looked at."""
    for dialect in DIALECTS:
        path, body = asking(dialect, "pony", ONE)
        answer = await server.client.post(path, json=body)
        assert answer.status_code == 400, answer.text
        assert "`pony` reads no images." in answer.text
        assert "`pony-vision`" in answer.text
    path, body = asking("anthropic", "pony", ONE)
    assert (await server.client.post(f"{path}/count_tokens", json=body)).status_code == 400


async def test_several_answers_to_one_picture_are_all_about_it(server: Served) -> None:
    path, body = asking("chat", MODEL, ONE)
    answer = (await server.client.post(path, json={**body, "n": 5})).json()
    assert [choice["message"]["content"].strip() for choice in answer["choices"]] == [f"user: {shown(ONE)}!echo"] * 5


async def test_a_path_is_for_callers_here_and_folders_that_were_named(tmp_path: Path) -> None:
    folder, outside = tmp_path / "pictures", tmp_path / "outside.png"
    folder.mkdir()
    outside.write_bytes(ONE)
    (folder / "in.png").write_bytes(ONE)
    (folder / "link.png").symlink_to(outside)
    world = World(runner_command=TOY_RUNNER)
    async with served(tmp_path, world=world, PADDOCK_IMAGES__FOLDERS=str(folder)) as server:
        for path, status in (("in.png", 200), ("link.png", 400), ("../outside.png", 400), ("none.png", 400)):
            for url in (f"{folder}/{path}", f"file://{folder}/{path}", f"file://localhost{folder}/{path}"):
                message = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}
                body = {"model": MODEL, "messages": [message], "max_tokens": 1}
                answer = await server.client.post("/v1/chat/completions", json=body)
                assert answer.status_code == status, answer.text
                assert str(tmp_path) not in answer.text
