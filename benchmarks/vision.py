"""What seeing costs: words to a model that sees against its language part alone, and the first token about a picture."""

import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

from benchmarks.measure import Result
from paddock.app import BUILTIN_MODELS
from paddock.fleet.fleet import Runner, RunnerSpec
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.images.digest import digest_of
from paddock.vocabulary import GenerateRequest, Message, ModelFormat, ModelKind, Picture, Sampling

ROUNDS: Final = 7
STREAMS: Final = 8
TOKENS: Final = 96
SEEING: Final = BUILTIN_MODELS / "pony-vision"
QUESTION: Final = "Describe the picture."


def main() -> Iterator[Result]:
    """Two runners that take turns; then pictures that are new, that are known, and whole prompts that are known."""
    with tempfile.TemporaryDirectory() as folder:
        yield from asyncio.run(_compare(_language_part(Path(folder) / "words")))


async def _compare(words_folder: Path) -> list[Result]:
    fleet = SubprocessFleet()
    try:
        kind = ModelKind.VISION
        sees = await fleet.start(RunnerSpec(name="sees", path=str(SEEING), format=ModelFormat.MLX, kind=kind))
        words = await fleet.start(RunnerSpec(name="words", path=str(words_folder), format=ModelFormat.MLX))
        speeds: dict[str, list[float]] = {"sees": [], "words": []}
        for turn in range(ROUNDS + 1):
            for name, runner in (("sees", sees), ("words", words)):
                speed = await _streams(runner, turn)
                if turn:  # the first round warms up
                    speeds[name].append(speed)
        new, known, whole = [], [], []
        for turn in range(ROUNDS + 1):
            picture = _picture(turn)
            first = await _first(sees, f"Hello {turn}. ", picture)
            features = await _first(sees, f"And {turn} now. ", picture)
            everything = await _first(sees, f"And {turn} now. ", picture)
            if turn:
                new.append(first)
                known.append(features)
                whole.append(everything)
    finally:
        await fleet.close()
    mine, theirs = statistics.median(speeds["sees"]), statistics.median(speeds["words"])
    print(
        f"words, {STREAMS} streams: {mine:.0f} tokens/s of a model that sees, {theirs:.0f} of its language part alone"
    )
    cold, warm, cached = (1000 * statistics.median(each) for each in (new, known, whole))
    print(
        f"first token: {cold:.0f} ms with a new picture, {warm:.0f} with a known one, {cached:.0f} with a known prompt"
    )
    return [
        Result("words to a model that sees, against its language part", mine / theirs, "×", 0.9, at_least=True),
        Result("first token about a known picture, against a new one", warm / cold, "×", 1, at_least=False),
    ]


def _language_part(folder: Path) -> Path:
    """The same weights as a model of words."""
    import mlx.core as mx

    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"):
        shutil.copy(SEEING / name, folder)
    config = json.loads((SEEING / "config.json").read_text())
    text = {**config["text_config"], "eos_token_id": config["eos_token_id"]}
    (folder / "config.json").write_text(json.dumps(text))
    prefix = "language_model."
    loaded = mx.load(str(SEEING / "model.safetensors"))
    weights = {key.removeprefix(prefix): value for key, value in loaded.items() if key.startswith(prefix)}
    mx.save_safetensors(str(folder / "model.safetensors"), weights)
    return folder


async def _streams(runner: Runner, turn: int) -> float:
    """Tokens a second of all streams together, from the first token to the last."""
    started: list[float] = []
    sampling = Sampling(temperature=0.0, max_tokens=TOKENS, ignore_end=True)

    async def answer(number: int) -> int:
        request = GenerateRequest(
            id=f"{turn}-{number}", prompt=f"{turn} {number} shapes and colours", sampling=sampling
        )
        tokens = 0
        async with aclosing(runner.generate(request)) as events:
            async for event in events:
                if not tokens:
                    started.append(time.perf_counter())
                tokens += len(event.token_ids)
        return tokens

    tokens = sum(await asyncio.gather(*(answer(number) for number in range(STREAMS))))
    return tokens / (time.perf_counter() - min(started))


async def _first(runner: Runner, before: str, picture: Picture) -> float:
    """Seconds to the first token. What stands before the picture decides whether the prompt is known."""
    message = Message(role="user", content=before + QUESTION, images=(replace(picture, at=len(before)),))
    request = GenerateRequest(id="first", messages=(message,), sampling=Sampling(temperature=0.0, max_tokens=1))
    begun = time.perf_counter()
    async with aclosing(runner.generate(request)) as events:
        async for _ in events:
            pass
    return time.perf_counter() - begun


def _picture(number: int) -> Picture:
    image = Image.new("RGB", (640, 480), "white")
    ImageDraw.Draw(image).ellipse((100 + number, 100, 300, 300), fill="red")
    pixels = image.tobytes()
    digest = digest_of(pixels, image.width, image.height)
    return Picture(pixels=pixels, width=image.width, height=image.height, digest=digest)
