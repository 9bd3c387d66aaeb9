"""How long models stay, what makes them leave, and what the pool tells about them."""

import asyncio

import pytest

from paddock.pool.settings import PoolSettings
from paddock.pool.status import MemoryState
from tests.pool.building import stable
from tests.pool.simulated import MB, SimulatedModel, record_of
from tests.pool.virtual import run_virtually

A, B, C = (SimulatedModel(name, bytes=MB) for name in "abc")


def settings(**changes: object) -> PoolSettings:
    return PoolSettings(**({"budget_bytes": 10 * MB} | changes))  # pyright: ignore[reportArgumentType] (fields of its own)


def test_an_idle_model_leaves_after_its_keep_alive() -> None:
    """Counted from the end of its last answer, not from its beginning."""

    async def story() -> None:
        async with stable(A, settings=settings(keep_alive_s=60)) as the:
            await the.chat("a", tokens=1000)  # 100 s
            await asyncio.sleep(59)
            assert the.in_memory == ["a"]
            await asyncio.sleep(2)
            assert the.in_memory == []
            assert the.pool.status().counters.expirations == 1

    run_virtually(story())


@pytest.mark.parametrize(
    ("request_says", "record_says", "config_says", "stays_s"),
    [
        (None, None, None, 600),
        (None, None, 30.0, 30),
        (None, "20s", 30.0, 20),
        ("10s", "20s", 30.0, 10),
        ("0", None, None, 0),
        ("-1", "20s", None, None),
        (None, "forever", 30.0, None),
    ],
)
def test_the_request_stands_above_the_model_and_that_above_the_configuration(
    request_says: str | None, record_says: str | None, config_says: float | None, stays_s: float | None
) -> None:
    async def story() -> None:
        record = record_of("a", keep_alive=record_says)
        keep_alives = {"a": config_says} if config_says is not None else {}
        async with stable(A, records=[record], settings=settings(keep_alives=keep_alives)) as the:
            async with the.pool.lease("a", user="me", keep_alive=request_says):
                assert the.pool.status().models["a"].keep_alive_s == stays_s
            if stays_s is None:
                await asyncio.sleep(5_000)
                assert the.in_memory == ["a"]
                return
            await asyncio.sleep(max(0.0, stays_s - 1))
            assert (the.in_memory == ["a"]) == (stays_s > 0) or the.pool.status().models[
                "a"
            ].state is MemoryState.UNLOADING
            await asyncio.sleep(2)
            assert the.in_memory == []

    run_virtually(story())


def test_what_one_request_said_stands_until_another_says_otherwise() -> None:
    async def story() -> None:
        async with stable(A, settings=settings(keep_alive_s=10)) as the:
            async with the.pool.lease("a", user="me", keep_alive="1h"):
                pass
            await the.chat("a")
            await asyncio.sleep(3000)
            assert the.in_memory == ["a"]

    run_virtually(story())


def test_a_pinned_model_stays_whatever_comes() -> None:
    """By record, by configuration or by word of mouth."""

    async def story() -> None:
        pinned = record_of("a", pinned=True)
        those = settings(keep_alive_s=10, max_models=3, pinned=frozenset("b"))
        async with stable(A, B, C, SimulatedModel("d", bytes=MB), records=[pinned], settings=those) as the:
            await asyncio.gather(the.chat("a"), the.chat("b"))
            await the.pool.load("c", pin=True)
            the.machine.available = 0.0
            await asyncio.sleep(100)
            assert await the.pool.clear() == []
            assert the.in_memory == ["a", "b", "c"]
            await the.pool.pin("a", pinned=False)
            await asyncio.sleep(1)
            assert the.in_memory == ["b", "c"]
            assert (await the.pool.unload("b")).was_loaded, "who asks by name gets what they ask for"

    run_virtually(story())


def test_pressure_of_the_machine_moves_idle_models_out_and_no_others() -> None:
    """Somebody else's program needs the memory now."""

    async def story() -> None:
        async with stable(A, B, C, settings=settings(pressure_min=0.05, pressure_check_s=5)) as the:
            for name in "ab":
                await the.chat(name)
            async with the.pool.lease("c", user="me"):
                the.machine.available = 0.045  # half a megabyte is missing
                await asyncio.sleep(6)
                assert the.in_memory == ["b", "c"]
                the.machine.available = 0.0
                await asyncio.sleep(6)
                assert the.in_memory == ["c"]
                await asyncio.sleep(20)
                assert the.in_memory == ["c"]
            assert the.pool.status().counters.pressure_evictions == 2

    run_virtually(story())


def test_clear_moves_out_all_that_may_leave() -> None:
    async def story() -> None:
        async with stable(A, B, C) as the:
            for name in "ab":
                await the.chat(name)
            async with the.pool.lease("c", user="me"):
                assert sorted(await the.pool.clear()) == ["a", "b"]
                assert the.in_memory == ["c"]

    run_virtually(story())


def test_preloading_skips_what_cannot_be_loaded() -> None:
    """One model that is gone must not keep the server from starting."""

    async def story() -> None:
        those = settings(preload=("a", "nobody"), pinned=frozenset("b"))
        async with stable(A, B, C, settings=those) as the:
            await the.pool.preload(["c"])
            assert the.in_memory == ["a", "b", "c"]

    run_virtually(story())


def test_warming_up_says_how_much_and_whether_the_model_stays() -> None:
    async def story() -> None:
        async with stable(A, settings=settings(keep_alive_s=60)) as the:
            await the.pool.warm("a", prefill_tokens=32, tokens=2, keep_loaded=True)
            assert the.fleet.runners["a"].warmed == [(32, 2)]
            await asyncio.sleep(10_000)
            assert the.in_memory == ["a"]
            await the.pool.warm("a", keep_loaded=False)
            await asyncio.sleep(1)
            assert the.in_memory == []

    run_virtually(story())


def test_a_model_is_warm_before_its_first_request_when_that_is_set() -> None:
    """Of a prompt that its context holds."""

    async def story() -> None:
        async with stable(A, settings=settings(warm_up=True)) as the:
            async with the.pool.lease("a", user="me"):
                assert the.fleet.runners["a"].warmed == [(50, 4)]
            loaded = await the.pool.load("a")
            assert (loaded.was_loaded, loaded.warmed) == (True, False)

    run_virtually(story())


def test_a_model_that_takes_more_than_predicted_makes_others_leave() -> None:
    """What is measured counts from then on."""

    async def story() -> None:
        heavy = SimulatedModel("heavy", bytes=2 * MB, measured=8 * MB)
        async with stable(A, B, heavy, settings=settings(max_models=3, budget_bytes=9 * MB)) as the:
            for name in ("a", "b", "heavy"):
                await the.chat(name)
            await asyncio.sleep(10)
            status = the.pool.status()
            assert status.models["heavy"].measured_bytes == 8 * MB
            assert status.used_bytes <= status.budget_bytes

    run_virtually(story())


def test_the_status_tells_who_is_there_who_waits_and_what_it_takes() -> None:
    async def story() -> None:
        async with stable(A, B, SimulatedModel("big", bytes=9 * MB)) as the:
            async with the.pool.lease("a", user="alice"):
                waiting = asyncio.create_task(the.chat("big", user="bob"))
                loading = asyncio.create_task(the.chat("b", user="carol"))
                await asyncio.sleep(0.5)
                status = the.pool.status()
                assert {name: one.state for name, one in status.models.items()} == {
                    "a": MemoryState.READY,
                    "b": MemoryState.LOADING,
                }
                assert [(one.name, one.requests) for one in status.waiting] == [("big", 1)]
                a = status.models["a"]
                assert (a.leases, a.users, a.measured_bytes, a.predicted_bytes) == (1, ("alice",), MB, MB)
                assert (a.load_seconds, a.expires_at) == (pytest.approx(1.0), None)
                assert status.used_bytes + status.free_bytes == status.budget_bytes
                assert the.pool.users_of("a") == ("alice",)
                assert the.pool.users_of("b") == ("carol",)
                assert the.pool.users_of("big") == ("bob",)
                assert the.pool.users_of("c") == ()
                await loading
            await waiting
            assert the.pool.users_of("big") == ("the server, which has it in memory",)
            assert set(await the.pool.stats()) == {"b", "big"}

    run_virtually(story())


class Listener:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def loaded(self, name: str, *, seconds: float, memory_bytes: int) -> None:
        self.heard.append(("loaded", name, round(seconds, 1)))

    def evicted(self, name: str, *, reason: str) -> None:
        self.heard.append(("evicted", name, reason))

    def hit(self, name: str) -> None:
        self.heard.append(("hit", name))

    def refused(self, name: str, *, code: str) -> None:
        self.heard.append(("refused", name, code))


def test_who_counts_hears_of_everything() -> None:
    async def story() -> None:
        listener = Listener()
        async with stable(A, B, settings=settings(max_models=1), observer=listener) as the:
            await the.chat("a")
            await the.chat("a")
            await the.chat("b")
            with pytest.raises(Exception, match="nobody"):
                await the.chat("nobody")
        assert listener.heard == [
            ("loaded", "a", 1.0),
            ("hit", "a"),
            ("evicted", "a", "room"),
            ("loaded", "b", 1.0),
            ("refused", "nobody", "model_not_found"),
            ("evicted", "b", "unloaded"),
        ]

    run_virtually(story())


def test_a_model_leaves_under_any_of_its_names() -> None:
    """People unload what they asked for, and they may have asked for an alias."""

    async def story() -> None:
        async with stable(A) as the:
            await the.chat("alias-of-a")
            gone = await the.pool.unload("alias-of-a")
            assert (gone.name, gone.was_loaded) == ("a", True)
            assert the.in_memory == []
            gone = await the.pool.unload("alias-of-a")
            assert (gone.name, gone.was_loaded) == ("a", False)

    run_virtually(story())


def test_what_is_preloaded_loads_side_by_side_as_far_as_there_is_room() -> None:
    """A server with three models is ready after the longest load, not after all of them."""

    async def story() -> None:
        clock = asyncio.get_running_loop().time
        those = settings(preload=("a", "b", "c"))
        async with stable(A, B, C, settings=those) as the:
            began = clock()
            await the.pool.preload()
            assert the.fleet.books.count_max == 3
            assert clock() - began < 2 * A.load_s
        async with stable(A, B, C, settings=settings(preload=("a", "b", "c"), budget_bytes=2 * MB)) as the:
            await the.pool.preload()
            assert the.fleet.books.taken_max <= 2 * MB

    run_virtually(story())
