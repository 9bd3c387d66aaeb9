"""Answers that are held to a form: what sixteen streams lose by it, and how long a schema takes that nobody asked for yet."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any, Final

from benchmarks.measure import Result
from paddock.app import BUILTIN_MODELS
from paddock.fleet.fleet import Runner, RunnerSpec
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.vocabulary import FormatKind, GenerateRequest, Message, ModelFormat, OutputFormat, Sampling

ROUNDS: Final = 9
STREAMS: Final = 16
TOKENS: Final = 96
SCHEMAS: Final = 15
COST_MAX: Final = 15.0  # percent
FIRST_USE_MS_MAX: Final = 50.0

_FREE: Final = OutputFormat()


def main() -> Iterator[Result]:
    """Free and held in turns, all streams alike; then short answers, each with a schema of its own, and without one."""
    cost, first_use_ms = asyncio.run(_measure())
    yield Result(f"{STREAMS} streams held to a JSON schema cost", cost, "% of tokens/s", COST_MAX)
    yield Result("first use of an ordinary schema", first_use_ms, "ms", FIRST_USE_MS_MAX)


async def _measure() -> tuple[float, float]:
    fleet = SubprocessFleet()
    try:
        runner = await fleet.start(RunnerSpec(name="pony", path=str(BUILTIN_MODELS / "pony"), format=ModelFormat.MLX))
        await runner.warm()
        asker = _Asker(runner)
        free: list[float] = []
        held: list[float] = []
        for turn in range(ROUNDS + 1):
            speeds = await asker.tokens_per_second(_FREE), await asker.tokens_per_second(_items("item"))
            if turn:  # the first round warms up
                free.append(speeds[0])
                held.append(speeds[1])
        without = [await asker.first_token_ms(_FREE) for _ in range(SCHEMAS)]
        fresh = [await asker.first_token_ms(_person(number)) for number in range(SCHEMAS)]
    finally:
        await fleet.close()
    slow, fast = statistics.median(held), statistics.median(free)
    each = [f"{100 * (1 - one / other):.0f}" for one, other in zip(held, free, strict=True)]
    print(f"{fast:.0f} tokens/s free, {slow:.0f} held; medians of {ROUNDS}; each round {', '.join(each)} %", flush=True)
    late = statistics.median(fresh) - statistics.median(without)
    print(
        f"first tokens: {statistics.median(without):.1f} ms free, {statistics.median(fresh):.1f} with a new schema",
        flush=True,
    )
    return 100 * (1 - slow / fast), late


class _Asker:
    """Asks one runner."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._numbers = itertools.count()

    async def tokens_per_second(self, form: OutputFormat) -> float:
        began = time.perf_counter()
        counts = await asyncio.gather(*(self._answer(form, TOKENS) for _ in range(STREAMS)))
        assert counts == [TOKENS] * STREAMS, f"{TOKENS} tokens were asked for, {counts} came"
        return sum(counts) / (time.perf_counter() - began)

    async def first_token_ms(self, form: OutputFormat) -> float:
        began = time.perf_counter()
        await self._answer(form, 1)
        return (time.perf_counter() - began) * 1000

    async def _answer(self, form: OutputFormat, tokens: int) -> int:
        number = next(self._numbers)
        request = GenerateRequest(
            id=f"ask-{number}",
            messages=(Message(role="user", content=f"Name some things, number {number}."),),
            sampling=Sampling(temperature=0.8, seed=number, max_tokens=tokens, ignore_end=True),
            format=form,
        )
        count = 0
        async with aclosing(self._runner.generate(request)) as events:
            async for event in events:
                count += len(event.token_ids)
        return count


def _items(name: str) -> OutputFormat:
    """A list that is longer than any answer here."""
    entry = _object(
        {"name": {"type": "string", "minLength": 3}, "count": {"type": "integer"}, "red": {"type": "boolean"}}
    )
    return _held(_object({name: {"type": "array", "items": entry, "minItems": 100}}))


def _person(number: int) -> OutputFormat:
    """An ordinary schema that was never seen before."""
    return _held(
        _object(
            {
                f"name_{number}": {"type": "string"},
                "age": {"type": "integer", "minimum": 0},
                "role": {"enum": ["owner", "guest", f"visitor {number}"]},
                "tags": {"type": "array", "items": {"type": "string"}},
            }
        )
    )


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _held(schema: dict[str, Any]) -> OutputFormat:
    return OutputFormat(kind=FormatKind.JSON_SCHEMA, schema=schema)
