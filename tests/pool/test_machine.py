"""The machine's own memory: what the settings allow, other programs may have taken."""

import asyncio

import pytest

from paddock.errors import NoRoom, NotEnoughMemory
from paddock.pool.machine import MachineMemory, free_for_models, short_of
from paddock.pool.settings import PoolSettings
from tests.pool.building import stable
from tests.pool.simulated import MB, SimulatedModel
from tests.pool.virtual import run_virtually

A, B, BIG = SimulatedModel("a", bytes=2 * MB), SimulatedModel("b", bytes=2 * MB), SimulatedModel("big", bytes=4 * MB)
SETTINGS = PoolSettings(budget_bytes=50 * MB, pressure_min=0.05, wait_max_s=30, keep_alive_s=None)


def test_what_is_free_for_models_leaves_the_machine_its_share() -> None:
    memory = MachineMemory(total_bytes=1000, available_bytes=120)
    assert free_for_models(memory, 0.05) == 70
    assert free_for_models(memory, 0.2) == -80
    assert (short_of(memory, 0.05), short_of(memory, 0.2)) == (0, 80)


def test_a_model_that_the_machine_has_no_memory_for_is_refused_before_it_loads() -> None:
    """Loading it all the same would make the machine swap, or end somebody's program."""

    async def story() -> None:
        async with stable(BIG, settings=SETTINGS) as the:
            the.machine.available = 0.08  # of 100 MB, 5 of which stay free
            with pytest.raises(
                NotEnoughMemory, match=r"`big` needs 4\.0 MB, but this machine has 3\.0 MB free"
            ) as caught:
                await the.chat("big")
            assert (caught.value.http_status, the.loads) == (507, [])
            the.machine.available = 0.09
            assert await the.chat("big") == "01234", "as soon as there is enough"

    run_virtually(story())


def test_models_that_nobody_uses_leave_when_the_machine_has_no_more() -> None:
    """The settings would allow both; the machine has room for one."""

    async def story() -> None:
        async with stable(A, BIG, settings=SETTINGS) as the:
            the.machine.taken = the.fleet.taken
            await the.chat("a")
            the.machine.available = 0.10  # less what `a` takes
            assert await the.chat("big") == "01234"
            assert the.in_memory == ["big"]
            assert the.pool.status().counters.evictions == 1

    run_virtually(story())


def test_models_in_use_are_named_and_waited_for() -> None:
    """What they will give back may be enough."""

    async def story() -> None:
        async with stable(A, BIG, settings=SETTINGS) as the, the.pool.lease("a", user="alice"):
            the.machine.available = 0.08
            clock = asyncio.get_running_loop().time
            began = clock()
            with pytest.raises(
                NoRoom, match=r"`big` needs 4\.0 MB, but this machine has 3\.0 MB free: `a` \(in use by alice\)"
            ) as caught:
                await the.chat("big")
            assert clock() - began == pytest.approx(30, abs=0.1)
            assert caught.value.http_status == 503
            assert the.in_memory == ["a"]

    run_virtually(story())


def test_loads_that_run_side_by_side_do_not_count_on_the_same_memory() -> None:
    """What a load will take is not gone from the machine yet when the next one looks."""

    async def story() -> None:
        async with stable(A, B, settings=SETTINGS) as the:
            the.machine.taken = the.fleet.taken
            the.machine.available = 0.08  # for one of them
            assert await asyncio.gather(the.chat("a"), the.chat("b")) == ["01234"] * 2
            assert the.fleet.books.count_max == 1

    run_virtually(story())


def test_what_waits_for_the_machine_gets_it_when_it_comes_free() -> None:
    async def story() -> None:
        async with stable(A, BIG, settings=SETTINGS) as the, the.pool.lease("a", user="alice"):
            the.machine.available = 0.08
            asking = asyncio.create_task(the.chat("big"))
            await asyncio.sleep(1)
            assert the.in_memory == ["a"]
            the.machine.available = 0.20  # another program ended; nobody tells the pool, it looks
            assert await asking == "01234"

    run_virtually(story())
