"""The pool with real processes: what holds on a made-up clock holds here, too."""

import asyncio
import os
import signal
from contextlib import suppress

import pytest

from paddock.app import BUILTIN_MODELS
from paddock.errors import NotEnoughMemory, RunnerCrashed
from paddock.pool.settings import PoolSettings
from paddock.pool.status import MemoryState
from tests.pool.real import Real, alphabet, real
from tests.pool.simulated import MB

GB = 1_000_000_000


async def test_five_models_in_a_pool_of_two_answer_twenty_clients() -> None:
    """No answer is lost or cut, nobody starves, and loads stay few."""
    settings = PoolSettings(budget_bytes=10 * MB, max_models=2, turn_s=2.0, residency_s=1.0)
    async with real(*"abcde", settings=settings) as the:

        async def client(number: int) -> None:
            for turn in range(5):
                name = "abcde"[(number + turn) % 5]
                assert await the.chat(name, tokens=30, user=f"client {number}") == alphabet(30)

        await asyncio.gather(*(client(number) for number in range(20)))
        counters = the.pool.status().counters
        assert counters.hits + counters.misses == 100
        assert counters.loads <= 25
        assert counters.evictions == counters.loads - 2


async def test_a_stream_goes_on_while_others_load_and_leave_around_it() -> None:
    """Loading and evicting happen beside it, in processes of their own."""
    settings = PoolSettings(budget_bytes=10 * MB, max_models=2, residency_s=0.0, turn_s=600)
    async with real(*"abcd", settings=settings) as the:
        await the.pool.load("a")
        long = asyncio.create_task(the.chat("a", tokens=3000))
        for name in "bcdb":
            assert await the.chat(name) == alphabet(10)
        assert await long == alphabet(3000)
        assert the.pool.status().counters.loads == 5


async def test_a_load_that_fails_fails_for_all_who_wait_and_for_nobody_else() -> None:
    async with real("good", "bad", paths={"bad": "refuses"}) as the:
        asked = [asyncio.create_task(the.chat("bad")) for _ in range(3)]
        assert await the.chat("good") == alphabet(10)
        for result in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(result, NotEnoughMemory)
            assert "needs 5 GB" in result.message
        assert list(the.pool.status().models) == ["good"]


async def kill(the: Real, name: str) -> None:
    """Its process, if it has one just now."""
    stats = (await the.pool.stats()).get(name)
    if stats is not None and stats.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(stats.pid, signal.SIGKILL)


async def test_a_runner_that_restarts_stays_and_one_that_failed_for_good_is_loaded_afresh() -> None:
    async with real("a", settings=PoolSettings(budget_bytes=10 * MB, pressure_check_s=600)) as the:
        await the.chat("a")
        await kill(the, "a")
        assert await the.chat("a") == alphabet(10)
        assert the.pool.status().counters.loads == 1, "the fleet restarted it"
        while the.pool.status().models["a"].state is not MemoryState.FAILED:  # until the fleet gives it up
            await kill(the, "a")
            await asyncio.sleep(0.05)
        assert await the.chat("a") == alphabet(10)
        assert the.pool.status().counters.loads == 2


async def test_a_forced_unload_ends_streams_with_a_reason_and_the_process_with_them() -> None:
    async with real("a") as the:
        await the.pool.load("a")
        pid = (await the.pool.stats())["a"].pid or 0
        talking = asyncio.create_task(the.chat("a", tokens=4000))
        while the.pool.users_of("a") != ("me",):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        result = await the.pool.unload("a", force=True)
        assert result.ended == 1
        with pytest.raises(RunnerCrashed, match="unloaded"):
            await talking
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_real_model_is_granted_what_it_needs_measured_and_within_its_limit() -> None:
    """The cache of a real runner is as large as what the pool grants leaves room for."""
    path = str(BUILTIN_MODELS / "pony")
    settings = PoolSettings(budget_bytes=GB, max_models=2, warm_up=True)
    async with real(
        "pony", "twin", paths={"pony": path, "twin": path}, bytes_each=GB // 4, settings=settings, toy=False
    ) as the:
        both = await asyncio.gather(*(the.chat(name, prompt="What is 3 plus 4?") for name in ("pony", "twin")))
        assert both[0] == both[1]
        status = the.pool.status()
        for model in status.models.values():
            assert model.granted_bytes == GB // 2, "there is room for twice its need, and its share is that"
            assert model.measured_bytes is not None
            assert 0 < model.measured_bytes <= model.granted_bytes
        for one in (await the.pool.stats()).values():
            assert one.memory is not None
            assert one.memory.peak_bytes <= GB // 2
            assert one.blocks_total > 0
        assert the.told[0][1] > 0
        assert await the.pool.clear() == ["pony", "twin"]
