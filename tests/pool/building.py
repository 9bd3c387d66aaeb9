"""A pool over a simulated fleet."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from paddock.errors import ModelNotFound
from paddock.fleet.fleet import Runner, RunnerState
from paddock.library.records import ModelRecord
from paddock.pool.machine import MachineMemory
from paddock.pool.observer import PoolObserver
from paddock.pool.pool import Pool
from paddock.pool.settings import PoolSettings
from paddock.pool.specs import Need
from paddock.vocabulary import Priority
from tests.pool.simulated import MB, SimulatedFleet, SimulatedModel, ask, record_of, spec_of


@dataclass(slots=True)
class Machine:
    """How much memory there is to begin with, whatever the models take, unless `taken` tells that."""

    available: float = 1.0
    taken: Callable[[], int] = int

    def read(self) -> MachineMemory:
        return MachineMemory(100 * MB, int(100 * MB * self.available) - self.taken())


@dataclass(slots=True)
class Stable:
    """A pool and everything around it."""

    pool: Pool
    fleet: SimulatedFleet
    machine: Machine
    records: dict[str, ModelRecord]
    told: list[str]  # of which loads the library heard
    left: list[str]  # of which ends
    on_predict: Callable[[], None] | None = None  # called just before a prediction is told

    async def chat(self, name: str, tokens: int = 5, *, user: str = "me", priority: Priority = Priority.NORMAL) -> str:
        """One whole answer."""
        async with (
            self.pool.lease(name, user=user, priority=priority) as lease,
            aclosing(lease.runner.generate(ask(name, tokens))) as events,
        ):
            return "".join([event.text async for event in events])

    @property
    def in_memory(self) -> Sequence[str]:
        return list(self.pool.status().models)

    @property
    def loads(self) -> Sequence[str]:
        return self.fleet.books.loads


@asynccontextmanager
async def stable(
    *models: SimulatedModel,
    budget: int = 10 * MB,
    records: Sequence[ModelRecord] = (),
    settings: PoolSettings | None = None,
    observer: PoolObserver | None = None,
) -> AsyncGenerator[Stable]:
    """`budget` is used unless `settings` are given. Everything has ended when the block ends, and no task is left."""
    fleet = SimulatedFleet(*models)
    known = {model.name: record_of(model.name) for model in models} | {record.name: record for record in records}
    machine = Machine()
    told: list[str] = []
    left: list[str] = []

    async def find(name: str) -> ModelRecord:
        await asyncio.sleep(0.001)
        found = known.get(name.removeprefix("alias-of-"))
        if found is None:
            raise ModelNotFound(f"There is no model `{name}`.", hint="See `paddock list`.")
        return found

    async def predict(record: ModelRecord) -> Need:
        await asyncio.sleep(0.001)
        need = fleet.models[record.name].bytes
        if the.on_predict is not None:
            the.on_predict()
        return Need(need, need)

    async def loaded(record: ModelRecord, runner: Runner) -> None:
        told.append(record.name)

    async def leaves(record: ModelRecord, runner: Runner) -> None:
        assert runner.state is RunnerState.READY, "it can still be asked"
        left.append(record.name)

    pool = Pool(
        fleet=fleet,
        find=find,
        predict=predict,
        spec=spec_of,
        loaded=loaded,
        leaves=leaves,
        settings=settings or PoolSettings(budget_bytes=budget),
        memory=machine.read,
        clock=asyncio.get_running_loop().time,
        observer=observer,
    )
    the = Stable(pool, fleet, machine, known, told, left)
    before = asyncio.all_tasks()
    try:
        yield the
    finally:
        await pool.close()
    assert asyncio.all_tasks() == before, "a task was left behind"
    assert not fleet.runners, "a model was left behind"
