"""Settings that change while models are in memory."""

import asyncio
from dataclasses import replace

import pytest

from paddock.errors import NotEnoughMemory, Overloaded
from paddock.pool.planning import Policy
from paddock.pool.settings import PoolSettings
from tests.pool.building import stable
from tests.pool.simulated import MB, SimulatedModel
from tests.pool.virtual import run_virtually

A, B, C = (SimulatedModel(name, bytes=2 * MB) for name in "abc")
SETTINGS = PoolSettings(budget_bytes=10 * MB, keep_alive_s=None, residency_s=0.0)


@pytest.mark.parametrize("less", [{"max_models": 1}, {"budget_bytes": 3 * MB}])
def test_who_is_too_many_leaves_at_once_and_nobody_who_is_in_use(less: dict[str, int]) -> None:
    """Somebody lowers a limit because the machine needs the memory now; answers that run are still finished."""

    async def story() -> None:
        async with stable(A, B, C, settings=SETTINGS) as the:
            for name in "abc":
                await the.chat(name)
            async with the.pool.lease("a", user="alice"), the.pool.lease("b", user="bob"):
                the.pool.reconfigure(replace(SETTINGS, **less))
                await asyncio.sleep(1)
                assert the.in_memory == ["a", "b"]
            await asyncio.sleep(1)
            assert len(the.in_memory) == 1, "the next leaves as soon as it may"
            assert the.fleet.books.cut == []
            status = the.pool.status()
            assert (status.max_models, status.budget_bytes) == (
                less.get("max_models", SETTINGS.max_models),
                less.get("budget_bytes", SETTINGS.budget_bytes),
            )

    run_virtually(story())


def test_what_is_pinned_stays_and_refuses_others() -> None:
    async def story() -> None:
        async with stable(A, B, settings=SETTINGS) as the:
            await the.pool.load("a", pin=True)
            await the.chat("b")
            the.pool.reconfigure(replace(SETTINGS, budget_bytes=MB))
            await asyncio.sleep(1)
            assert the.in_memory == ["a"]
            with pytest.raises(NotEnoughMemory, match=r"may take 1\.0 MB"):
                await the.chat("b")

    run_virtually(story())


def test_more_room_is_given_to_who_waits() -> None:
    async def story() -> None:
        async with stable(A, B, settings=replace(SETTINGS, max_models=1)) as the, the.pool.lease("a", user="alice"):
            asking = asyncio.create_task(the.chat("b"))
            await asyncio.sleep(3)
            assert the.in_memory == ["a"]
            the.pool.reconfigure(SETTINGS)
            assert await asking == "01234"

    run_virtually(story())


def test_a_keep_alive_holds_for_models_that_are_there_unless_a_request_said_another() -> None:
    async def story() -> None:
        async with stable(A, B, settings=SETTINGS) as the:
            await the.chat("a")
            async with the.pool.lease("b", user="bob", keep_alive="1000s"):
                pass
            the.pool.reconfigure(replace(SETTINGS, keep_alive_s=30))
            await asyncio.sleep(31)
            assert the.in_memory == ["b"]

    run_virtually(story())


def test_policy_queue_pins_and_warm_up_are_the_new_ones() -> None:
    """Everything that the pool looks up, it looks up in what holds now."""

    async def story() -> None:
        small = SimulatedModel("small", bytes=MB)
        async with stable(A, B, small, settings=replace(SETTINGS, max_models=2)) as the:
            await the.chat("small")
            await the.chat("a")
            the.pool.reconfigure(replace(SETTINGS, max_models=2, policy=Policy.LARGEST, warm_up=True, queue_max=1))
            await the.chat("b")
            assert the.in_memory == ["b", "small"], "the largest left, not the oldest"
            assert the.fleet.runners["b"].warmed
            the.pool.reconfigure(replace(SETTINGS, max_models=1, pinned=frozenset("b"), queue_max=1))
            await asyncio.sleep(1)
            assert the.in_memory == ["b"]
            async with the.pool.lease("b", user="bob"):
                the.pool.reconfigure(replace(SETTINGS, max_models=1, queue_max=1))
                first = asyncio.create_task(the.chat("a"))
                await asyncio.sleep(1)
                with pytest.raises(Overloaded):
                    await the.chat("small")
            assert await first == "01234"

    run_virtually(story())
