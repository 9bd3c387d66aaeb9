"""Pictures shown to the built-in model that sees, through a real runner."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from paddock.app import BUILTIN_MODELS
from paddock.errors import PromptTooLong, UsageError
from paddock.fleet.fleet import Runner, RunnerSpec
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.vocabulary import FinishReason, GenerateRequest, Message, ModelFormat, ModelKind, Sampling, Usage
from tests.runner.vision.drawings import circle, said, square

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLACES = 64  # tokens that stand for a picture
WORDS = [
    said("user", text) for text in ("Hello", "Who are you?", "What can you do?", "Thank you.", "Tell me about shapes.")
]


@dataclass
class Heard:
    text: str = ""
    pieces: int = 0
    finish: FinishReason | None = None
    usage: Usage | None = None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet() -> AsyncIterator[SubprocessFleet]:
    fleet = SubprocessFleet()
    yield fleet
    await fleet.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def eyes(fleet: SubprocessFleet) -> Runner:
    return await fleet.start(spec("pony-vision"))


def spec(name: str, **more: Any) -> RunnerSpec:
    kind = ModelKind.VISION if name == "pony-vision" else ModelKind.TEXT
    return RunnerSpec(name=name, path=str(BUILTIN_MODELS / name), format=ModelFormat.MLX, kind=kind, **more)


def ask(name: str, *messages: Message, max_tokens: int = 60, **more: Any) -> GenerateRequest:
    return GenerateRequest(
        id=name, messages=messages, sampling=Sampling(temperature=0.0, max_tokens=max_tokens), **more
    )


async def hear(runner: Runner, request: GenerateRequest) -> Heard:
    heard = Heard()
    async with aclosing(runner.generate(request)) as events:
        async for event in events:
            heard.text += event.text
            heard.pieces += event.text != ""
            heard.finish = event.finish_reason
            heard.usage = event.usage
    return heard


def shown(image: Image.Image, question: str) -> Message:
    return said("user", image, question)


@pytest.mark.parametrize("colour", ["red", "green", "blue", "yellow"])
async def test_it_says_what_it_sees(eyes: Runner, colour: str) -> None:
    """A model that was trained to see, asked what it answers best: the whole way from pixels to words."""
    named = await hear(eyes, ask("colour", shown(circle(colour), "What colour is the circle?")))
    assert colour in named.text
    assert named.pieces > 1  # it streams
    told = await hear(eyes, ask("told", shown(square(colour, width=160, height=120), "Describe the picture.")))
    assert colour in told.text
    assert "square" in told.text


async def test_a_picture_seen_again_is_found_and_another_is_not(eyes: Runner) -> None:
    """By what is in it: the words before and behind are the same, and so are all of the tokens."""
    question = "What colour is the circle?"
    first = await hear(eyes, ask("first", shown(circle("red", width=80, height=90), question), tenant="t"))
    again = await hear(eyes, ask("again", shown(circle("red", width=80, height=90), question), tenant="t"))
    other = await hear(eyes, ask("other", shown(circle("blue", width=80, height=90), question), tenant="t"))
    assert first.usage is not None
    assert again.usage is not None
    assert other.usage is not None
    assert first.usage.cached_tokens == 0
    assert again.usage.cached_tokens > PLACES
    assert other.usage.cached_tokens < 8
    assert again.text == first.text
    assert "red" in again.text
    assert "blue" in other.text


async def test_words_are_what_they_were_before_a_picture(eyes: Runner) -> None:
    """Peers keep what one request's pictures did to positions, and the next one's words come out wrong."""
    before = [await hear(eyes, ask(f"b{number}", words, tenant="before")) for number, words in enumerate(WORDS)]
    await hear(eyes, ask("picture", shown(circle("green"), "Describe the picture.")))
    after = [await hear(eyes, ask(f"a{number}", words, tenant="after")) for number, words in enumerate(WORDS)]
    assert [each.text for each in after] == [each.text for each in before]
    assert all(each.text for each in before)


async def test_a_hundred_texts_beside_pictures(eyes: Runner) -> None:
    """All at once: each says what it says alone."""
    alone = {words.content: (await hear(eyes, ask(f"alone{words.content}", words))).text for words in WORDS}
    questions = [
        (colour, shown(circle(colour), "What colour is the circle?")) for colour in ("red", "green", "blue")
    ] * 3
    texts = [hear(eyes, ask(f"text{number}", WORDS[number % len(WORDS)])) for number in range(100)]
    pictures = [hear(eyes, ask(f"picture{number}", message)) for number, (_, message) in enumerate(questions)]
    heard = await asyncio.gather(*texts[:50], *pictures, *texts[50:])
    seen = heard[50 : 50 + len(pictures)]
    for number, each in enumerate([*heard[:50], *heard[50 + len(pictures) :]]):
        assert each.text == alone[WORDS[number % len(WORDS)].content]
    for (colour, _), each in zip(questions, seen, strict=True):
        assert colour in each.text
    stats = await eyes.stats()
    assert (stats.running, stats.waiting, stats.blocks_used) == (0, 0, 0)


async def test_several_pictures_in_several_turns(eyes: Runner) -> None:
    """It was trained with one, so what it says is not the point: each has its place, and the first turn is not read again."""
    first = shown(circle("red", width=70, height=70), "What shape is this?")
    opening = await hear(eyes, ask("turn1", first, tenant="turns"))
    conversation = (first, Message(role="assistant", content=opening.text), shown(square("blue"), "And this?"))
    heard = await hear(eyes, ask("turn2", *conversation, tenant="turns"))
    assert heard.usage is not None
    assert heard.usage.prompt_tokens > 2 * PLACES
    assert heard.usage.cached_tokens > PLACES
    assert await eyes.count(ask("count", *conversation)) == heard.usage.prompt_tokens


async def test_whoever_leaves_takes_nothing_along(eyes: Runner) -> None:
    """Cancelled while it waits to be seen, while its picture is read, and while it is answered: all blocks come back."""
    for wait_for in (0, 0, 1):
        events = [
            eyes.generate(ask(f"gone{number}", shown(circle("red", width=60 + number), "Describe the picture.")))
            for number in range(4)
        ]
        for each in events:
            task = asyncio.ensure_future(anext(each))
            if wait_for:
                await task
            else:
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            await each.aclose()
    await hear(eyes, ask("last", shown(circle("red"), "Describe the picture.")))
    stats = await eyes.stats()
    assert (stats.running, stats.waiting, stats.blocks_used) == (0, 0, 0)


async def test_pictures_beyond_the_context_are_refused_with_both_numbers(eyes: Runner) -> None:
    """They are never left out quietly."""
    many = said("user", *(circle("red", width=50 + number) for number in range(20)), "How many circles are there?")
    with pytest.raises(
        PromptTooLong, match=rf"{20 * PLACES} of them for 20 pictures; the context holds 1024"
    ) as caught:
        await hear(eyes, ask("many", many))
    assert "fewer" in caught.value.hint


async def test_a_picture_from_the_system_is_seen(eyes: Runner) -> None:
    """This model's template takes words only there; they go in front of the first question, the picture with them."""
    heard = await hear(
        eyes, ask("system", said("system", "", circle("blue")), said("user", "What colour is the circle?"))
    )
    assert "blue" in heard.text


async def test_the_word_for_a_picture_is_text_when_people_write_it(eyes: Runner) -> None:
    """Nobody conjures a picture up, nor moves one to another place."""
    heard = await hear(eyes, ask("word", said("user", "<image>", circle("red"), "What colour is the circle?<image>")))
    plain = await hear(eyes, ask("plain", said("user", circle("red"), "What colour is the circle?")))
    assert heard.usage is not None
    assert plain.usage is not None
    assert PLACES < plain.usage.prompt_tokens < heard.usage.prompt_tokens < 2 * PLACES


async def test_a_model_of_words_refuses_pictures(fleet: SubprocessFleet) -> None:
    """It names itself and what to ask instead."""
    pony = await fleet.start(spec("pony"))
    with pytest.raises(UsageError, match="`pony` cannot see pictures") as caught:
        await hear(pony, ask("blind", shown(circle(), "What is it?")))
    assert "pony-vision" in caught.value.hint
    assert (await hear(pony, ask("sees not", said("user", "What is 3 plus 4?")))).text
