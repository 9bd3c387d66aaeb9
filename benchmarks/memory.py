"""Predicted against measured peak memory, over models of every kind that the engine knows.

    python -m benchmarks memory

Each model is loaded four times by a fresh runner, each time with other work: a short prompt, four at once, a long prompt,
and one in between. The first is predicted from the files alone; the fourth from what the three before it took.
Peak memory is the resident memory of the runner's process, as the kernel keeps it.
"""

import asyncio
import random
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.measure import Result
from benchmarks.shapes import SHAPES, shape
from paddock.app import BUILTIN_MODELS, open_library
from paddock.config.sources import load_config
from paddock.fleet.fleet import Runner, RunnerSpec
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.library.library import Library
from paddock.vocabulary import GenerateRequest, Sampling

_BUILT_IN: Final = ("pony", "foal")
_ANSWER_TOKENS: Final = 8
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One load of one model."""

    model: str
    context: int
    streams: int
    first_told: int  # before anything was measured
    told: int
    measured: int

    @property
    def first_error(self) -> float:
        return self.first_told / self.measured - 1

    @property
    def error(self) -> float:
        return self.told / self.measured - 1


def main() -> Iterator[Result]:
    loads = [load for model in [*_BUILT_IN, *SHAPES] for load in _told(asyncio.run(_loads(model)))]
    fourth = [abs(load.error) for load in loads[3::4]]
    first = [load.first_error for load in loads]
    yield Result("peak after three loads, worst model", 100 * max(fourth), "% off", 5)
    yield Result("peak after three loads, middle model", 100 * statistics.median(fourth), "% off", 5)
    yield Result("peak before any load, most below what was taken", -100 * min(first), "%", 0)
    yield Result("peak before any load, most above what was taken", 100 * max(first), "%", 15)


def _told(loads: Sequence[Loaded]) -> Sequence[Loaded]:
    for load in loads:
        print(
            f"{load.model:12} {load.streams} × {load.context:4}: {load.measured / _MIB:5.0f} MiB, "
            f"from its files {load.first_error:+.1%}, from earlier loads {load.error:+.1%}",
            flush=True,
        )
    return loads


async def _loads(model: str) -> list[Loaded]:
    with tempfile.TemporaryDirectory() as home:
        variables = {"HOME": home, "PADDOCK_HOME": home, "HF_HOME": f"{home}/hf", "OLLAMA_MODELS": f"{home}/ollama"}
        config = load_config(environment=variables, workspace=Path(home))
        fleet = SubprocessFleet()
        try:
            async with open_library(config) as library:
                return await _four(model, library, fleet)
        finally:
            await fleet.close()


async def _four(model: str, library: Library, fleet: SubprocessFleet) -> list[Loaded]:
    path = BUILTIN_MODELS / model if model in _BUILT_IN else shape(model)
    name = model if model in _BUILT_IN else (await library.pull(f"file://{path}")).name
    record = await library.get(name)
    most = min(record.facts.context_window, 3072)
    works = ((most // 4, 1), (most // 4, 4), (most, 1), (most * 3 // 4, 1))
    firsts = [await library.memory_need(record, context_window=context, streams=streams) for context, streams in works]
    loads: list[Loaded] = []
    for (context, streams), first in zip(works, firsts, strict=True):
        told = await library.memory_need(record, context_window=context, streams=streams)
        assert told is not None, "its files are here"
        assert first is not None, "its files are here"
        spec = RunnerSpec(
            name=name,
            path=str(path),
            format=record.format,
            memory_bytes_max=told.runner_bytes_max,
            ngram_speculation=False,
        )
        runner = await fleet.start(spec)
        await library.remember_load(record, runner)
        await _work(runner, context, streams)
        memory = (await runner.stats()).memory
        assert memory is not None, "it has worked"
        await library.remember_peak(record, runner)
        await runner.stop()
        loads.append(
            Loaded(
                model=model,
                context=context,
                streams=streams,
                first_told=first.bytes,
                told=told.bytes,
                measured=memory.peak_bytes,
            )
        )
    return loads


async def _work(runner: Runner, context: int, streams: int) -> None:
    """So many conversations at once that grow to `context` tokens."""
    chance = random.Random(context * 100 + streams)
    words = [token for token in range(runner.model.vocabulary) if token not in runner.model.end_token_ids]
    prompts = [tuple(chance.choices(words, k=context - _ANSWER_TOKENS)) for _ in range(streams)]
    await asyncio.gather(*(_ask(runner, str(number), prompt) for number, prompt in enumerate(prompts)))


async def _ask(runner: Runner, name: str, prompt: tuple[int, ...]) -> None:
    sampling = Sampling(temperature=0, max_tokens=_ANSWER_TOKENS, ignore_end=True)
    async with aclosing(runner.generate(GenerateRequest(id=name, tokens=prompt, sampling=sampling))) as events:
        async for _ in events:
            pass
