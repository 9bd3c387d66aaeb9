"""A pool over real processes: runners with the toy model, or with `pony`."""

import asyncio
import string
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import psutil

from paddock.fleet.fleet import Runner, RunnerSpec
from paddock.fleet.subprocesses import RUNNER_COMMAND, SubprocessFleet
from paddock.library.records import ModelRecord
from paddock.pool.pool import Pool
from paddock.pool.settings import PoolSettings
from paddock.pool.specs import Need
from paddock.vocabulary import GenerateRequest, Sampling
from tests.fleet.test_subprocesses_contract import QUICK, TOY_RUNNER
from tests.pool.simulated import MB, record_of, spec_of


@dataclass(slots=True)
class Real:
    pool: Pool
    fleet: SubprocessFleet
    told: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])  # loads: the name and what it took

    async def chat(self, name: str, tokens: int = 10, *, prompt: str = "z", user: str = "me") -> str:
        request = GenerateRequest(id=user, prompt=prompt, sampling=Sampling(temperature=0, max_tokens=tokens))
        async with (
            self.pool.lease(name, user=user) as lease,
            aclosing(lease.runner.generate(request)) as events,
        ):
            return "".join([event.text async for event in events])


def alphabet(tokens: int) -> str:
    """What the toy answers to `z`."""
    return (string.ascii_lowercase * (tokens // 26 + 1))[:tokens]


@asynccontextmanager
async def real(
    *names: str,
    paths: Mapping[str, str] | None = None,
    bytes_each: int = MB,
    settings: PoolSettings | None = None,
    toy: bool = True,
) -> AsyncGenerator[Real]:
    """`paths` say what happens while a model loads. When the block ends, no process is left."""
    before = set(psutil.Process().children())
    fleet = SubprocessFleet(command=TOY_RUNNER if toy else RUNNER_COMMAND, timing=QUICK if toy else None)
    records = {name: record_of(name, path=(paths or {}).get(name, "toy")) for name in names}

    async def find(name: str) -> ModelRecord:
        return records[name]

    async def predict(record: ModelRecord) -> Need:
        return Need(bytes_each, bytes_each)

    async def loaded(record: ModelRecord, runner: Runner) -> None:
        the.told.append((record.name, runner.model.memory_bytes))

    async def leaves(record: ModelRecord, runner: Runner) -> None:
        await runner.stats()

    def spec(record: ModelRecord) -> RunnerSpec:
        return spec_of(record)

    pool = Pool(
        fleet=fleet,
        find=find,
        predict=predict,
        spec=spec,
        loaded=loaded,
        leaves=leaves,
        settings=settings or PoolSettings(budget_bytes=10 * MB),
        clock=asyncio.get_running_loop().time,
    )
    the = Real(pool, fleet)
    try:
        yield the
    finally:
        await pool.close()
        await fleet.close()
    assert set(psutil.Process().children()) <= before, "a process was left behind"
