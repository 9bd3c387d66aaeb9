"""Guessing ahead, one stream: a draft model on new text, n-grams on text that repeats its prompt; each against none."""

import asyncio
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeAlias

from benchmarks.measure import Result
from paddock.app import BUILTIN_MODELS
from paddock.fleet.fleet import Runner, RunnerSpec
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.vocabulary import GenerateRequest, Message, ModelFormat, Sampling

ROUNDS: Final = 5
STORIES: Final = ("Tell me a story about a horse.", "Tell me a story about a dragon.", "Tell me a story about a boat.")

Conversation: TypeAlias = tuple[Message, ...]


def main() -> Iterator[Result]:
    """Stories told for the first time with a draft; told again in the same conversation with n-grams."""
    foal = {"draft_path": str(BUILTIN_MODELS / "foal")}
    yield asyncio.run(_compare("draft foal for pony, one stream", foal, 1.15, again=False))
    ngrams = {"ngram_speculation": True}
    yield asyncio.run(_compare("n-grams on text that repeats its prompt, one stream", ngrams, 1.5, again=True))


async def _compare(what: str, guessing: Mapping[str, Any], promised: float, *, again: bool) -> Result:
    """The ratio of medians of tokens a second. The answers must be the same, else there is nothing to compare."""
    fleet = SubprocessFleet()
    try:
        plain = await fleet.start(_pony({}))
        guessed = await fleet.start(_pony(guessing))
        asked: list[Conversation] = [(Message(role="user", content=story),) for story in STORIES]
        if again:
            told, _ = await _answer_all(plain, asked)
            asked = [
                (*said, Message(role="assistant", content=text), *said) for said, text in zip(asked, told, strict=True)
            ]
        before: list[float] = []
        after: list[float] = []
        for turn in range(ROUNDS + 1):
            texts, speed = await _answer_all(plain, asked)
            same, sooner = await _answer_all(guessed, asked)
            assert texts == same, "guesses changed an answer"
            if turn:  # the first round warms up
                before.append(speed)
                after.append(sooner)
    finally:
        await fleet.close()
    slow, fast = statistics.median(before), statistics.median(after)
    print(f"{what}: {slow:.0f} tokens/s without, {fast:.0f} with; medians of {ROUNDS}", flush=True)
    return Result(what, fast / slow, "×", promised, at_least=True)


def _pony(guessing: Mapping[str, Any]) -> RunnerSpec:
    return RunnerSpec(name="pony", path=str(BUILTIN_MODELS / "pony"), format=ModelFormat.MLX, **guessing)


async def _answer_all(runner: Runner, asked: Sequence[Conversation]) -> tuple[list[str], float]:
    """The answers, and tokens a second after each one's first piece."""
    texts: list[str] = []
    tokens, seconds = 0, 0.0
    for number, conversation in enumerate(asked):
        request = GenerateRequest(
            id=f"story {number}",
            messages=conversation,
            sampling=Sampling(temperature=0, max_tokens=200),
        )
        text, first = "", 0.0
        async with aclosing(runner.generate(request)) as events:
            async for event in events:
                text += event.text
                if first:
                    tokens += len(event.token_ids)
                elif event.token_ids:
                    first = time.perf_counter()
        seconds += time.perf_counter() - first
        texts.append(text)
    return texts, tokens / seconds
