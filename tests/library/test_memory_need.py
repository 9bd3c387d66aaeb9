"""How much memory a model will take, told before it is loaded and held against what a real runner then takes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from paddock.app import BUILTIN_MODELS, World, open_library
from paddock.catalog.sizing import BLOCK_TOKENS, FEATURE_BYTES_MAX, PAGED, RUNNER_WORK_BYTES, SLAB_BYTES
from paddock.catalog.working_memory import FIRST_STEP_TOKENS, STEP_TOKENS_MAX
from paddock.config.sources import load_config
from paddock.engine.limits import Limits
from paddock.fleet.fleet import Runner, RunnerSpec
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.library.library import Library
from paddock.library.machine import Machine
from paddock.runner import features
from paddock.runner.mlx import dispatch, layout, making, slabs
from paddock.runner.mlx.vision.architectures import ARCHITECTURES
from paddock.vocabulary import GenerateRequest, ModelFormat, Sampling
from tests.fleet.contract import answer

GIB = 1 << 30
MIB = 1 << 20
UNHURRIED_S = 60.0  # steps are as large as they may be, however busy the machine is
ANSWER_TOKENS = 4


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Library]:
    variables = {
        "HOME": str(tmp_path),
        "PADDOCK_HOME": str(tmp_path),
        "HF_HOME": str(tmp_path / "hf"),
        "OLLAMA_MODELS": str(tmp_path / "ollama"),
    }
    world = World(machine=lambda: Machine("cpu", 64 * GIB, 64 * GIB, 64))
    async with open_library(load_config(environment=variables, workspace=tmp_path), world) as library:
        yield library


@pytest.fixture
async def fleet() -> AsyncIterator[SubprocessFleet]:
    fleet = SubprocessFleet()
    yield fleet
    await fleet.close()


def spec(limit: int | None = None) -> RunnerSpec:
    return RunnerSpec(
        name="pony",
        path=str(BUILTIN_MODELS / "pony"),
        format=ModelFormat.MLX,
        memory_bytes_max=limit,
        step_seconds_max=UNHURRIED_S,
    )


def question(name: str, length: int, seed: int = 1) -> GenerateRequest:
    tokens = tuple(3 + (seed * 37 + position * 11) % 4000 for position in range(length))
    return GenerateRequest(
        id=name, tokens=tokens, sampling=Sampling(temperature=0, max_tokens=ANSWER_TOKENS, ignore_end=True)
    )


async def work(runner: Runner, context: int, streams: int) -> None:
    """So many conversations at once, each of `context` tokens in the end."""
    length = context - ANSWER_TOKENS
    await asyncio.gather(*(answer(runner, question(str(seed), length, seed)) for seed in range(streams)))


async def peak_of(runner: Runner) -> int:
    memory = (await runner.stats()).memory
    assert memory is not None
    return memory.peak_bytes


async def test_after_three_loads_the_peak_is_known_within_five_percent(
    library: Library, fleet: SubprocessFleet
) -> None:
    """Whoever shares a machine between models can fill it, because what a model takes is no surprise any more.

    Three loads with different work, then a fourth with work that none of them had.
    """
    record = await library.get("pony")
    first = await library.memory_need(record, context_window=700)
    assert first
    assert first.basis == "headers"
    for context, streams in ((1000, 1), (300, 2), (150, 5)):
        runner = await fleet.start(spec())
        await library.remember_load(record, runner)
        await work(runner, context, streams)
        await library.remember_peak(record, runner)
        await runner.stop()
    for context, streams in ((700, 1), (400, 2)):
        told = await library.memory_need(record, context_window=context, streams=streams)
        assert told
        assert told.basis == "measured"
        runner = await fleet.start(spec(told.runner_bytes_max))
        await work(runner, context, streams)
        assert await peak_of(runner) == pytest.approx(told.bytes, rel=0.05)
        await runner.stop()
    # A plan is told the same.
    plan, need = await library.plan("pony"), await library.memory_need(record, context_window=2048)
    assert need
    assert [step.peak_bytes for step in plan.memory] == [need.bytes]


async def test_before_any_load_the_prediction_errs_on_the_safe_side(library: Library, fleet: SubprocessFleet) -> None:
    """What is said to fit does fit; and not so much is kept back that nothing fits."""
    record = await library.get("pony")
    most = await library.memory_need(record)
    assert most
    assert most.context == 2048  # all that it has
    told = await library.memory_need(record, context_window=1000)
    assert told
    assert told.bytes < most.bytes
    runner = await fleet.start(spec(told.runner_bytes_max))
    await work(runner, 1000, 1)
    assert await peak_of(runner) <= told.bytes <= 1.3 * await peak_of(runner)


async def test_a_runner_with_the_limit_of_its_prediction_keeps_to_it(library: Library, fleet: SubprocessFleet) -> None:
    """Known prompts are cached while there is room: without a limit a small model would fill the machine with them."""
    need = await library.memory_need(await library.get("pony"), context_window=1024, streams=4)
    assert need
    runner = await fleet.start(spec(need.runner_bytes_max))
    for seed in range(5):  # 5000 tokens
        await answer(runner, question("a", 1000, seed))
    memory = (await runner.stats()).memory
    assert memory is not None
    assert memory.kv_bytes_max <= 8 * 2 * SLAB_BYTES  # four conversations are one slab of each layer's keys and values
    assert memory.peak_bytes <= need.bytes


async def test_a_peak_is_that_of_the_process_and_comes_with_its_work(fleet: SubprocessFleet) -> None:
    """`getrusage` would tell of the memory of whoever started the runner, this large test included."""
    ballast = bytearray(600 * MIB)
    ballast[::4096] = b"x" * len(range(0, len(ballast), 4096))
    runner = await fleet.start(spec())
    assert psutil.Process().memory_info().rss > 600 * MIB
    await answer(runner, question("a", 500))
    memory = (await runner.stats()).memory
    assert memory is not None
    assert 250 * MIB > memory.peak_bytes >= memory.active_bytes > 50 * MIB
    assert (memory.context_max, memory.tokens_max) == (503, 503)
    assert 128 <= memory.step_tokens_max <= 500
    assert memory.kv_bytes_max == 8 * 2 * SLAB_BYTES


async def test_what_tells_nothing_is_not_remembered(library: Library, fleet: SubprocessFleet) -> None:
    """An idle runner, one that has ended, one with a draft model beside it: none of them spoils a prediction."""
    record = await library.get("pony")
    before = await library.memory_need(record)
    idle = await fleet.start(spec())
    await library.remember_peak(record, idle)
    await idle.stop()
    await library.remember_peak(record, idle)
    drafted = await fleet.start(replace(spec(), draft_path=str(BUILTIN_MODELS / "foal")))
    await answer(drafted, question("a", 100))
    await library.remember_peak(record, drafted)
    assert await library.memory_need(record) == before


def test_the_catalog_knows_the_engine_as_it_is() -> None:
    """The catalog may not import a runner; these numbers are said twice."""
    modules = {place.split(".")[2] for place in dispatch.PAGED}
    seeing = ARCHITECTURES.keys() - {"qwen3_5", "qwen3_5_moe"}  # whose layers of recurrence go solo
    assert {"gemma3", "gemma3_text", "mistral", *modules, *seeing} == PAGED
    assert FEATURE_BYTES_MAX == features.FEATURE_BYTES_MAX
    assert (SLAB_BYTES, BLOCK_TOKENS) == (slabs.SLAB_BYTES, making.BLOCK_TOKENS)
    assert layout.WORK_BYTES == RUNNER_WORK_BYTES
    limits = Limits(vocabulary=2, context_window=2)
    assert (limits.step_tokens_max, limits.prefill_tokens_first) == (STEP_TOKENS_MAX, FIRST_STEP_TOKENS)
