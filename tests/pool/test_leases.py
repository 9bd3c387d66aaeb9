"""Who gets a model, when, and what happens when it cannot be had."""

import asyncio

import pytest

from paddock.errors import (
    DeadlinePassed,
    InUse,
    ModelNotFound,
    NoRoom,
    NotEnoughMemory,
    Overloaded,
    PaddockError,
    RunnerCrashed,
)
from paddock.pool.observer import Nobody
from paddock.pool.settings import PoolSettings
from paddock.pool.status import MemoryState, Unloaded
from paddock.vocabulary import Priority
from tests.pool.building import Stable, stable
from tests.pool.simulated import MB, SimulatedModel
from tests.pool.virtual import run_virtually


def model(name: str, *, mb: int = 1, load_s: float = 1.0, fails: int = 0) -> SimulatedModel:
    return SimulatedModel(name, bytes=mb * MB, load_s=load_s, fails=fails)


def test_twenty_who_ask_at_once_share_one_load() -> None:
    """Each load of its own would take the memory twenty times."""

    async def story() -> None:
        async with stable(model("a")) as the:
            answers = await asyncio.gather(*(the.chat("a") for _ in range(19)), the.chat("alias-of-a"))
            assert answers == ["01234"] * 20
            assert the.loads == ["a"]
            assert the.told == ["a"]
            counters = the.pool.status().counters
            assert (counters.loads, counters.misses, counters.hits) == (1, 20, 0)
            await the.chat("a")
            assert the.pool.status().counters.hits == 1

    run_virtually(story())


def test_loading_one_model_does_not_keep_another_from_answering() -> None:
    async def story() -> None:
        async with stable(model("a"), model("slow", load_s=500)) as the:
            await the.chat("a")
            slow = asyncio.create_task(the.chat("slow"))
            clock = asyncio.get_running_loop().time
            began = clock()
            for _ in range(20):
                assert await the.chat("a", tokens=1) == "0"
            assert clock() - began < 3
            assert await slow == "01234"

    run_virtually(story())


def test_a_failed_load_gives_everybody_the_same_error_and_the_next_tries_again() -> None:
    """Whoever waits learns why; a model that failed once is not lost for good."""

    async def story() -> None:
        async with stable(model("a", fails=1)) as the:
            results = await asyncio.gather(*(the.chat("a") for _ in range(5)), return_exceptions=True)
            assert all(isinstance(one, NotEnoughMemory) for one in results)
            assert len({id(one) for one in results}) == 1
            assert the.in_memory == []
            assert await the.chat("a") == "01234"
            assert the.pool.status().counters.load_failures == 1

    run_virtually(story())


def test_one_who_leaves_does_not_take_the_load_from_the_others() -> None:
    async def story() -> None:
        async with stable(model("a", load_s=10)) as the:
            asking = [asyncio.create_task(the.chat("a")) for _ in range(3)]
            await asyncio.sleep(5)
            asking[0].cancel()
            assert await asking[1] == await asking[2] == "01234"
            assert the.loads == ["a"]

    run_virtually(story())


def test_a_load_that_everybody_left_goes_on_but_its_model_is_the_first_to_make_room() -> None:
    """Clients that time out come again: the load was not in vain. But nobody who waits is kept for it."""

    async def story() -> None:
        async with stable(
            model("a", load_s=10), model("b"), settings=PoolSettings(budget_bytes=10 * MB, max_models=1)
        ) as the:
            asking = asyncio.create_task(the.chat("a"))
            await asyncio.sleep(5)
            asking.cancel()
            await asyncio.sleep(1)
            clock = asyncio.get_running_loop().time
            began = clock()
            assert await the.chat("b") == "01234"
            assert clock() - began == pytest.approx(4 + 0.1 + 1 + 0.5, abs=0.1)
            assert the.fleet.books.stops == ["a"]

    run_virtually(story())


class Leaver(Nobody):
    """Makes a request leave at once when its model is loaded."""

    def __init__(self) -> None:
        self.asking: asyncio.Task[str] | None = None

    def loaded(self, name: str, *, seconds: float, memory_bytes: int) -> None:
        if self.asking is not None:  # after it was granted, before it has woken
            asyncio.get_running_loop().call_soon(self.asking.cancel)


def test_one_who_leaves_in_the_moment_in_which_the_model_is_there_holds_nothing() -> None:
    """A lease that nobody holds would keep the model in memory for ever."""

    async def story() -> None:
        leaver = Leaver()
        async with stable(model("a"), observer=leaver) as the:
            leaver.asking = asyncio.create_task(the.chat("a"))
            await asyncio.gather(leaver.asking, return_exceptions=True)
            assert leaver.asking.cancelled()
            assert the.pool.status().models["a"].leases == 0

    run_virtually(story())


def test_a_model_in_use_is_never_evicted_and_an_idle_one_is() -> None:
    async def story() -> None:
        settings = PoolSettings(budget_bytes=10 * MB, max_models=2, residency_s=0)
        async with stable(model("a"), model("b"), model("c"), settings=settings) as the:
            await the.chat("a")
            long = asyncio.create_task(the.chat("b", tokens=300))
            await asyncio.sleep(2)
            await the.chat("a")  # so that `b` is the least recently used
            await the.chat("c")
            assert set(the.in_memory) == {"b", "c"}
            await long
            assert the.fleet.books.cut == []

    run_virtually(story())


def test_a_model_larger_than_the_pool_is_refused_at_once_with_both_numbers() -> None:
    async def story() -> None:
        async with stable(model("big", mb=20), model("a")) as the:
            with pytest.raises(
                NotEnoughMemory, match=r"`big` needs 20\.0 MB; all models together may take 10\.0 MB"
            ) as caught:
                await the.chat("big")
            assert (caught.value.http_status, caught.value.exit_code) == (507, 3)
            assert the.loads == []

    run_virtually(story())


def test_two_loads_that_together_overflow_the_memory_go_one_after_the_other() -> None:
    """What is predicted is reserved while the load runs."""

    async def story() -> None:
        async with stable(model("a", mb=6), model("b", mb=6)) as the:
            assert await asyncio.gather(the.chat("a"), the.chat("b")) == ["01234"] * 2
            assert the.fleet.books.taken_max <= 10 * MB
            assert the.fleet.books.count_max == 1

    run_virtually(story())


def test_nothing_can_leave_is_503_with_need_room_and_who_holds_it() -> None:
    """The person who is refused must know whom to ask."""

    async def story() -> None:
        settings = PoolSettings(budget_bytes=10 * MB, wait_max_s=30)
        async with stable(model("a", mb=6), model("b", mb=3), model("c", mb=5), settings=settings) as the:
            await the.pool.load("a", pin=True)
            with pytest.raises(
                NoRoom, match=r"`c` needs 5\.0 MB, but 4\.0 MB of 10\.0 MB can be had: `a` \(pinned\)"
            ) as caught:
                await the.chat("c")
            assert (caught.value.http_status, caught.value.code) == (503, "no_room")
            await the.pool.pin("a", pinned=False)
            clock = asyncio.get_running_loop().time
            async with the.pool.lease("a", user="alice"), the.pool.lease("a", user="alice"):
                began = clock()
                with pytest.raises(NoRoom, match=r"`a` \(in use by alice \(2 requests\)\)"):
                    await the.chat("c")
                assert clock() - began == pytest.approx(30, abs=0.1)
            assert await the.chat("c") == "01234"

    run_virtually(story())


def test_the_queue_has_an_end() -> None:
    async def story() -> None:
        async with stable(model("a", load_s=10), settings=PoolSettings(budget_bytes=10 * MB, queue_max=3)) as the:
            asking = [asyncio.create_task(the.chat("a")) for _ in range(5)]
            results = await asyncio.gather(*asking, return_exceptions=True)
            refused = [one for one in results if isinstance(one, Overloaded)]
            assert len(refused) == 2
            assert all(one.retry_after_s is not None and one.retry_after_s >= 1 for one in refused)
            assert results.count("01234") == 3
            assert the.pool.status().counters.refused == 2

    run_virtually(story())


def test_a_request_waits_no_longer_than_its_own_deadline() -> None:
    async def story() -> None:
        async with stable(model("a", load_s=100)) as the:
            clock = asyncio.get_running_loop().time
            with pytest.raises(DeadlinePassed):
                async with the.pool.lease("a", user="me", deadline_s=7):
                    pass
            assert clock() == pytest.approx(7, abs=0.1)

    run_virtually(story())


def test_a_load_may_take_longer_than_the_wait_for_room() -> None:
    """A model of hundreds of gigabytes takes minutes to load; that is no reason to refuse its requests."""

    async def story() -> None:
        async with stable(model("a", load_s=500), settings=PoolSettings(budget_bytes=10 * MB, wait_max_s=5)) as the:
            assert await the.chat("a") == "01234"

    run_virtually(story())


def test_an_unknown_model_and_a_wrong_keep_alive_are_told_as_such() -> None:
    async def story() -> None:
        async with stable(model("a")) as the:
            with pytest.raises(ModelNotFound):
                await the.chat("nobody")
            with pytest.raises(PaddockError, match="keep-alive"):
                async with the.pool.lease("a", user="me", keep_alive="soon"):
                    pass
            assert the.loads == []

    run_virtually(story())


def test_urgent_requests_get_room_first() -> None:
    async def story() -> None:
        settings = PoolSettings(budget_bytes=10 * MB, max_models=1, turn_s=50)
        async with stable(model("a"), model("b"), model("c"), settings=settings) as the:
            busy = asyncio.create_task(the.chat("a", tokens=100))
            await asyncio.sleep(2)
            later = asyncio.create_task(the.chat("b", priority=Priority.LOW))
            await asyncio.sleep(1)
            urgent = asyncio.create_task(the.chat("c", priority=Priority.HIGH))
            await asyncio.gather(busy, later, urgent)
            assert the.loads == ["a", "c", "b"]

    run_virtually(story())


def test_a_runner_that_failed_for_good_is_loaded_afresh_for_the_next_request() -> None:
    async def story() -> None:
        async with stable(model("a")) as the:
            await the.chat("a")
            the.fleet.runners["a"].crash()
            assert the.pool.status().models["a"].state is MemoryState.FAILED
            assert await the.chat("a") == "01234"
            assert the.loads == ["a", "a"]
            the.fleet.runners["a"].crash()
            await asyncio.sleep(10)
            assert the.in_memory == [], "nobody asks for it, and its room is free all the same"

    run_virtually(story())


def test_a_pool_that_drains_takes_nobody_new_and_lets_the_others_finish() -> None:
    async def story() -> None:
        async with stable(model("a"), model("b", load_s=5)) as the:
            await the.chat("a")
            asking = [asyncio.create_task(the.chat("a", tokens=50)), asyncio.create_task(the.chat("b"))]
            await asyncio.sleep(1)
            draining = asyncio.create_task(the.pool.drain())
            await asyncio.sleep(0)
            with pytest.raises(RunnerCrashed, match="ending"):
                await the.chat("a")
            await draining
            assert [task.result() for task in asking] == ["".join(map(str, range(50))), "01234"]

    run_virtually(story())


def test_closing_gives_everybody_an_end() -> None:
    """Nobody waits for a pool that is gone; nothing stays in memory."""

    async def story() -> None:
        async with stable(model("a", load_s=100), model("b")) as the:
            await the.chat("b")
            talking = asyncio.create_task(the.chat("b", tokens=1000))
            waiting = asyncio.create_task(the.chat("a"))
            await asyncio.sleep(5)
            await the.pool.close()
            for task in (talking, waiting):
                with pytest.raises(RunnerCrashed):
                    await task
            assert the.fleet.runners == {}

    run_virtually(story())


async def round_robin(the: Stable, client: int, rounds: int, names: str) -> int:
    for turn in range(rounds):
        name = names[(client + turn) % len(names)]
        assert await the.chat(name, tokens=3, user=f"client {client}") == "012"
    return rounds


def test_five_models_in_a_pool_of_two_serve_twenty_clients_with_few_loads() -> None:
    """Served in turns of whole batches; a pool that serves whoever came first would load for almost every request."""

    async def story() -> None:
        settings = PoolSettings(budget_bytes=10 * MB, max_models=2, wait_max_s=600)
        async with stable(*(model(name, load_s=3) for name in "abcde"), settings=settings) as the:
            served = await asyncio.gather(*(round_robin(the, client, 10, "abcde") for client in range(20)))
            assert sum(served) == 200
            assert the.fleet.books.cut == []
            # Each client visits each model twice: with two in memory at once, no order of 200 requests needs fewer than ten.
            assert len(the.loads) <= 25, the.loads

    run_virtually(story())


def test_two_models_that_alternate_in_one_place_take_turns_instead_of_thrashing() -> None:
    """Two crowds, one place: each is served for a while, and nobody waits for ever."""

    async def story() -> None:
        settings = PoolSettings(budget_bytes=10 * MB, max_models=1, turn_s=10, residency_s=5, wait_max_s=600)
        async with stable(model("a", load_s=3), model("b", load_s=3), settings=settings) as the:
            clock = asyncio.get_running_loop().time
            waits: list[float] = []

            async def client(name: str) -> None:
                for _ in range(50):
                    began = clock()
                    await the.chat(name, tokens=10)
                    waits.append(clock() - began)

            await asyncio.gather(*(client(name) for name in "aabbaabb"))
            assert len(waits) == 400
            assert max(waits) < 3 * (10 + 3 + 1 + 1)
            # Fifty seconds of answers for each crowd, in turns of ten seconds less the load of three: eight turns each.
            assert len(the.loads) <= 18, the.loads

    run_virtually(story())


def test_a_model_that_is_always_busy_gives_way_to_one_who_has_waited_too_long() -> None:
    """New requests for the loaded model would keep the other waiting for ever."""

    async def story() -> None:
        settings = PoolSettings(budget_bytes=10 * MB, max_models=1, turn_s=10, wait_max_s=600)
        async with stable(model("a"), model("b"), settings=settings) as the:
            clock = asyncio.get_running_loop().time
            stop = False

            async def busy() -> None:
                while not stop:
                    await the.chat("a", tokens=20)

            crowd = [asyncio.create_task(busy()) for _ in range(3)]
            await asyncio.sleep(5)
            began = clock()
            assert await the.chat("b") == "01234"
            assert clock() - began < 10 + 2 + 2
            stop = True
            await asyncio.gather(*crowd)
            assert the.fleet.books.cut == []

    run_virtually(story())


def test_unloading_refuses_waits_or_ends_those_who_use_it() -> None:
    async def story() -> None:
        async with stable(model("a"), model("b", load_s=10)) as the:
            assert not (await the.pool.unload("a")).was_loaded
            talking = asyncio.create_task(the.chat("a", tokens=50, user="alice"))
            await asyncio.sleep(2)
            with pytest.raises(InUse, match="`a` is in use by alice"):
                await the.pool.unload("a")
            unloading = asyncio.create_task(the.pool.unload("alias-of-a", wait=True))
            await asyncio.sleep(1)
            newcomer = asyncio.create_task(the.chat("a", user="bob"))
            result = await unloading
            assert (result.name, result.was_loaded, result.ended) == ("a", True, 0)
            assert await talking == "".join(map(str, range(50)))
            assert await newcomer == "01234", "who came meanwhile is served by a fresh load"

            talking = asyncio.create_task(the.chat("a", tokens=50))
            await asyncio.sleep(1)
            assert (await the.pool.unload("a", force=True)).ended == 1
            with pytest.raises(RunnerCrashed, match="unloaded"):
                await talking

            loading = asyncio.create_task(the.chat("b", user="carol"))
            await asyncio.sleep(1)
            with pytest.raises(InUse, match="carol"):
                await the.pool.unload("b")
            assert (await the.pool.unload("b", force=True)).ended == 1
            with pytest.raises(RunnerCrashed, match="while it was being loaded"):
                await loading
            assert the.in_memory == []

    run_virtually(story())


def test_a_load_that_is_stopped_before_its_first_step_leaves_nothing() -> None:
    """A task that is cancelled so early never runs; its room and its waiters must not be forgotten."""

    async def story() -> None:
        async with stable(model("a")) as the:
            unloads: list[asyncio.Task[Unloaded]] = []

            def unload_first() -> None:
                unloads.append(asyncio.create_task(the.pool.unload("a", force=True)))

            the.on_predict = unload_first
            with pytest.raises(RunnerCrashed, match="while it was being loaded"):
                await the.chat("a")
            assert (await unloads[0]).ended == 1
            assert the.loads == []
            the.on_predict = None
            assert await the.chat("a") == "01234"
            assert the.left == []
        assert the.left == ["a"]

    run_virtually(story())


def test_a_pin_that_came_with_a_load_that_failed_is_taken_back() -> None:
    async def story() -> None:
        async with stable(model("a", fails=1)) as the:
            with pytest.raises(NotEnoughMemory):
                await the.pool.load("a", pin=True)
            assert not (await the.pool.load("a")).pinned
            assert (await the.pool.load("a", pin=True)).pinned

    run_virtually(story())
