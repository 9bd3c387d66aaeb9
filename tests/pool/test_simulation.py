"""Thousands of made-up days in the life of a pool, each from a seed, on a clock that does not wait.

Whatever happens: every request is answered once or refused with a reason, no answer is cut by an eviction, the models
together never take more than they may, and nobody starves.
"""

import asyncio
import os
import random
from collections import Counter
from dataclasses import replace

import pytest

from paddock.errors import DeadlinePassed, InUse, NoRoom, NotEnoughMemory, Overloaded, RunnerCrashed
from paddock.pool.planning import Policy
from paddock.pool.settings import PoolSettings
from paddock.vocabulary import Priority
from tests.pool.building import Stable, stable
from tests.pool.simulated import MB, SimulatedModel
from tests.pool.virtual import run_virtually

SEEDS = 10_000 if os.environ.get("PADDOCK_SOAK") else 200
CHUNKS = 10
NAMES = "abcde"


class Day:
    """What one seed makes happen."""

    def __init__(self, seed: int) -> None:
        self.random = chance = random.Random(seed)
        self.models = [
            SimulatedModel(
                name,
                bytes=chance.choice((1, 2, 3, 5)) * MB,
                load_s=chance.choice((0.0, 0.3, 2.0, 8.0)),
                stop_s=chance.choice((0.0, 0.1, 1.0)),
                fails=chance.choice((0, 0, 0, 1)),
                measured=chance.choice((None, None, 1 * MB)),
            )
            for name in NAMES[: chance.randint(2, 5)]
        ]
        self.settings = PoolSettings(
            max_models=chance.randint(1, 3),
            budget_bytes=chance.choice((5, 6, 10)) * MB,
            policy=chance.choice(list(Policy)),
            keep_alive_s=chance.choice((0.0, 1.0, 60.0, None)),
            warm_up=chance.random() < 0.3,
            queue_max=chance.choice((4, 256)),
            wait_max_s=1000.0,
            turn_s=chance.choice((1.0, 10.0)),
            residency_s=chance.choice((0.0, 1.0, 5.0)),
        )
        self.asked = 0
        self.outcomes: Counter[str] = Counter()
        self.waited_max = 0.0
        self.pinned: set[str] = set()

    async def live(self) -> None:
        async with stable(*self.models, settings=self.settings) as the:
            clients = [self.client(the, number) for number in range(self.random.randint(1, 8))]
            watcher = asyncio.create_task(self.watch(the))
            meddler = asyncio.create_task(self.meddle(the))
            await asyncio.gather(*clients)
            meddler.cancel()
            watcher.cancel()
            await asyncio.gather(meddler, watcher, return_exceptions=True)
            assert watcher.cancelled() or watcher.exception() is None, watcher.exception()
            assert meddler.cancelled() or meddler.exception() is None, meddler.exception()
            status = the.pool.status()
            assert not status.waiting
            assert all(model.leases == 0 and model.waiting == 0 for model in status.models.values())
            books = the.fleet.books
        assert books.cut == []
        assert books.taken_max <= self.settings.budget_bytes
        assert books.count_max <= self.settings.max_models
        assert self.asked == self.outcomes.total()
        # A turn of everybody else, with its load, unload and answers, takes far less than this.
        assert self.waited_max < 300

    async def client(self, the: Stable, number: int) -> None:
        chance = random.Random(self.random.random())
        for _ in range(chance.randint(1, 12)):
            await asyncio.sleep(chance.choice((0.0, 0.0, 0.05, 1.0, 5.0)))
            self.asked += 1
            leaves = chance.random() < 0.15
            name = chance.choice(self.models).name
            tokens = chance.choice((1, 5, 30))
            asking = asyncio.create_task(self.ask(the, name, tokens, number, chance))
            if leaves:
                await asyncio.sleep(chance.choice((0.0, 0.001, 0.002, 0.5, 3.0)))
                asking.cancel()
            try:
                self.outcomes[await asking] += 1
            except asyncio.CancelledError:
                self.outcomes["left"] += 1

    async def ask(self, the: Stable, name: str, tokens: int, number: int, chance: random.Random) -> str:
        loop = asyncio.get_running_loop()
        began = loop.time()
        answered: list[int] = []
        priority = chance.choice(list(Priority))
        keep_alive = chance.choice((None, None, None, "0", "forever", "5s"))
        deadline_s = chance.choice((None, None, None, 2.0))
        try:
            async with the.pool.lease(
                name, user=f"client {number}", priority=priority, keep_alive=keep_alive, deadline_s=deadline_s
            ) as lease:
                self.waited_max = max(self.waited_max, loop.time() - began)
                assert lease.record.name == name
                for token in range(tokens):
                    await asyncio.sleep(0.1)
                    assert the.fleet.runners.get(name) is lease.runner, "it left while it was used"
                    assert lease.runner.state.value == "ready", "it was stopped while it was used"
                    answered.append(token)
        except NotEnoughMemory:
            return "refused for good"
        except (NoRoom, Overloaded):
            return "no room"
        except DeadlinePassed:
            assert loop.time() - began > 1.999
            return "late"
        except RunnerCrashed:
            assert not answered
            return "unloaded"
        assert answered == list(range(tokens))
        return "answered"

    async def meddle(self, the: Stable) -> None:
        """Somebody with an admin's rights."""
        chance = random.Random(self.random.random())
        while True:
            await asyncio.sleep(chance.choice((0.5, 3.0, 10.0)))
            name = chance.choice(self.models).name
            try:
                match chance.randrange(9):
                    case 0:
                        await the.pool.unload(name)
                    case 1:
                        await the.pool.unload(name, wait=True)
                    case 2:
                        await the.pool.clear()
                    case 3 if len(self.pinned) == 0:
                        self.pinned.add(name)
                        await the.pool.pin(name, pinned=True)
                    case 4:
                        for pinned in tuple(self.pinned):
                            await the.pool.pin(pinned, pinned=False)
                            self.pinned.discard(pinned)
                    case 5:
                        await the.pool.load(name)
                    case 6:
                        policy, keep_alive_s = chance.choice(list(Policy)), chance.choice((0.0, 5.0, None))
                        the.pool.reconfigure(replace(self.settings, policy=policy, keep_alive_s=keep_alive_s))
                    case 7:
                        the.machine.available = 0.01
                    case _:
                        the.machine.available = 1.0
            except (InUse, NotEnoughMemory, RunnerCrashed):
                pass

    async def watch(self, the: Stable) -> None:
        """The pool's own word for it, at any moment."""
        while True:
            status = the.pool.status()
            assert status.used_bytes <= status.budget_bytes
            assert len(status.models) <= status.max_models
            await asyncio.sleep(0.5)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_whatever_happens_the_pool_keeps_its_promises(chunk: int) -> None:
    """A pool is a knot of coincidences; no list of examples would find them all."""
    outcomes: Counter[str] = Counter()
    for seed in range(chunk, SEEDS, CHUNKS):
        day = Day(seed)
        try:
            run_virtually(day.live())
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
        outcomes += day.outcomes
    assert outcomes["answered"] > outcomes.total() / 3, outcomes
