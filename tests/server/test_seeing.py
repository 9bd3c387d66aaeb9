"""Pictures from end to end: official clients, the whole server, the built-in model that sees, in every dialect."""

import base64
from io import BytesIO

import anthropic
import httpx2
import openai
import pytest
from PIL import Image, ImageDraw

from tests.images.pictures import data_uri
from tests.server.openai_server import Running

pytestmark = pytest.mark.xdist_group("openai")

MODEL = "pony-vision"
QUESTION = "What colour is the circle?"


def circle(colour: str) -> bytes:
    image = Image.new("RGB", (96, 96), "white")
    ImageDraw.Draw(image).ellipse((24, 24, 72, 72), fill=colour)
    file = BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()


RED, BLUE = circle("red"), circle("blue")


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(("picture", "colour"), [(RED, "red"), (BLUE, "blue")], ids=["red", "blue"])
def test_openai_s_client_asks_about_a_picture(client: openai.OpenAI, picture: bytes, colour: str) -> None:
    answer = client.chat.completions.create(
        model=MODEL,
        temperature=0,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": data_uri(picture), "detail": "auto"}},
                    {"type": "text", "text": QUESTION},
                ],
            }
        ],
    )
    assert colour in (answer.choices[0].message.content or "").lower()
    response = client.responses.create(
        model=MODEL,
        temperature=0,
        input=[
            {
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": data_uri(picture), "detail": "auto"},
                    {"type": "input_text", "text": QUESTION},
                ],
            }
        ],
    )
    assert colour in response.output_text.lower()


@pytest.mark.parametrize(("picture", "colour"), [(RED, "red"), (BLUE, "blue")], ids=["red", "blue"])
def test_anthropic_s_client_asks_about_a_picture_and_counts_it(server: Running, picture: bytes, colour: str) -> None:
    with anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0, timeout=60) as client:
        messages: list[anthropic.types.MessageParam] = [
            {
                "role": "user",
                "content": [
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": encode(picture)},
                    },
                    {"type": "text", "text": QUESTION},
                ],
            }
        ]
        counted = client.messages.count_tokens(model=MODEL, messages=messages)
        answer = client.messages.create(model=MODEL, max_tokens=30, messages=messages, extra_body={"temperature": 0})
    assert colour in "".join(block.text for block in answer.content if block.type == "text").lower()
    read = answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0)
    assert counted.input_tokens == read
    assert read > 64, "the picture itself takes 64 tokens"


@pytest.mark.parametrize(("picture", "colour"), [(RED, "red"), (BLUE, "blue")], ids=["red", "blue"])
def test_ollama_s_ways_to_ask_about_a_picture(http: httpx2.Client, picture: bytes, colour: str) -> None:
    shared = {"model": MODEL, "stream": False, "options": {"temperature": 0}}
    message = {"role": "user", "content": QUESTION, "images": [encode(picture)]}
    chat = http.post("/api/chat", json={**shared, "messages": [message]}).json()
    assert colour in chat["message"]["content"].lower()
    generate = http.post("/api/generate", json={**shared, "prompt": QUESTION, "images": [encode(picture)]}).json()
    assert colour in generate["response"].lower()
