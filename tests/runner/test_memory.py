"""What keys and values take, while they are written and when their model is gone."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mlx.core as mx
import psutil
import pytest

from paddock.app import BUILTIN_MODELS
from paddock.fleet.fleet import RunnerSpec
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.runner.mlx.executor import MlxExecutor
from paddock.runner.mlx.loading import load_weights
from paddock.runner.mlx.making import make_executor
from paddock.runner.mlx.slabs import SLAB_BYTES
from paddock.vocabulary import GenerateRequest, ModelFormat, Sampling
from tests.exactness.driving import GREEDY, Driver
from tests.fleet.contract import answer
from tests.runner.tiny_llama import VOCABULARY, make_llama

LAYERS = 2
BYTES_PER_TOKEN = LAYERS * 2 * 8 * 128 * 4
PARENT_GROWTH_MAX = 8 * 1024 * 1024  # what Python's own allocator may hold on to


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[MlxExecutor]:
    """A model whose cache is large and whose weights are nothing: a slab holds 512 tokens of a layer's keys."""
    folder = make_llama(tmp_path / "wide", context=8192, layers=LAYERS, kv_heads=8, head_size=128)
    executor = make_executor(load_weights(folder, "wide"), blocks=512)
    assert executor.model.bytes_per_token == BYTES_PER_TOKEN
    yield executor
    executor.close()


def prompt(length: int, seed: int) -> list[int]:
    return [2 + (seed * 37 + position * 11) % (VOCABULARY - 2) for position in range(length)]


def test_the_cache_takes_no_more_than_its_tokens(executor: MlxExecutor) -> None:
    """One long prompt beside fifteen short ones: engines that pad the batch take 14 times as much."""
    driver = Driver(executor, prefill=512)
    before = active_bytes()
    lengths = [4000, *(20 + 2 * number for number in range(15))]
    for number, length in enumerate(lengths):
        driver.submit(prompt(length, number), replace(GREEDY, max_tokens=40))
    while not all(len(one.tokens) >= 3 for one in driver.answers.values()):
        driver.step()
    live = sum(lengths) + sum(len(one.tokens) for one in driver.answers.values())
    assert active_bytes() - before <= 1.15 * live * BYTES_PER_TOKEN


def test_a_large_pool_is_never_copied(executor: MlxExecutor) -> None:
    """A few streams in a pool full of other people's prefixes: a step takes its own work and a few slabs."""
    driver = Driver(executor, prefill=512)
    for number in range(64):
        driver.submit(prompt(100, number), replace(GREEDY, max_tokens=2))
    driver.finish()
    pool = 64 * 100 * BYTES_PER_TOKEN
    for number in range(4):
        driver.submit(prompt(60, 100 + number), replace(GREEDY, max_tokens=60))
    for _ in range(5):
        driver.step()
    mx.clear_cache()
    before = active_bytes()
    assert before > pool
    mx.reset_peak_memory()
    driver.finish()
    peak = mx.get_peak_memory() - before
    # One layer's keys in one array would be a quarter of the pool: 26 MB.
    assert peak < 5 * SLAB_BYTES < pool / LAYERS / 2


async def test_unloading_gives_the_memory_back() -> None:
    """The memory is the child's: with it, all of it goes, and nothing has piled up on this side."""
    fleet = SubprocessFleet()
    spec = RunnerSpec(name="pony", path=str(BUILTIN_MODELS / "pony"), format=ModelFormat.MLX)
    grown: list[int] = []
    for number in range(3):
        runner = await fleet.start(spec)
        pid = (await runner.stats()).pid
        assert pid is not None
        assert psutil.Process(pid).memory_info().rss > 50 * 1024 * 1024
        tokens = tuple(prompt(500, number))
        await answer(runner, GenerateRequest(id="a", tokens=tokens, sampling=Sampling(max_tokens=20)))
        await runner.stop()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        grown.append(psutil.Process().memory_info().rss)
    await fleet.close()
    assert grown[-1] - grown[0] < PARENT_GROWTH_MAX


def active_bytes() -> int:
    mx.synchronize()
    return mx.get_active_memory()
