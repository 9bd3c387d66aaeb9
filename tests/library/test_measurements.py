"""A model that was loaded once is predicted by what it took then: `plan` and `show` tell, with the basis."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paddock.app import BUILTIN_MODELS, World, open_library
from paddock.catalog.correcting import MemoryFacts
from paddock.config.sources import load_config
from paddock.db.engine import Database
from paddock.fleet.fleet import RunnerSpec
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.library.library import Library
from paddock.library.machine import Machine
from paddock.library.measurements import MEASUREMENTS_MAX, PEAKS_OF_ONE_MAX, Measurements
from paddock.library.pulling.plan import MemoryAt
from paddock.vocabulary import ModelFormat

GIB = 1 << 30
CPU = World(machine=lambda: Machine("cpu", 64 * GIB, 64 * GIB))


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Library]:
    variables = {
        "HOME": str(tmp_path),
        "PADDOCK_HOME": str(tmp_path),
        "HF_HOME": str(tmp_path / "hf"),
        "OLLAMA_MODELS": str(tmp_path / "ollama"),
    }
    async with open_library(load_config(environment=variables, workspace=tmp_path), CPU) as library:
        yield library


@pytest.fixture
async def fleet() -> AsyncIterator[SubprocessFleet]:
    fleet = SubprocessFleet()
    yield fleet
    await fleet.close()


def pony(*, draft: bool = False) -> RunnerSpec:
    path = str(BUILTIN_MODELS / "pony")
    return RunnerSpec(name="pony", path=path, format=ModelFormat.MLX, draft_path=path if draft else None)


def working(memory: Sequence[MemoryAt]) -> int:
    return memory[-1].peak_bytes  # its whole context is less than the working one


async def test_a_load_corrects_the_prediction_for_plan_and_show(library: Library, fleet: SubprocessFleet) -> None:
    """A person who sees a model take 300 MB is told 300 MB from then on, and how that is known."""
    before = await library.show("pony")
    assert (before.memory_basis, (await library.plan("pony")).memory_basis) == ("headers", "headers")

    first = await fleet.start(pony())
    await library.remember_load(await library.get("pony"), first)
    after, plan = await library.show("pony"), await library.plan("pony")
    assert (after.memory_basis, plan.memory_basis) == ("measured", "measured")
    assert after.memory == plan.memory
    assert working(after.memory) > first.model.memory_bytes
    assert working(after.memory) != working(before.memory)

    # What is told of the model alone, before any prompt, is what the next load takes.
    beside_the_model = working(after.memory) - first.model.memory_bytes
    for _ in range(2):
        told = working((await library.show("pony")).memory) - beside_the_model
        again = await fleet.start(pony())
        assert again.model.memory_bytes == pytest.approx(told, rel=0.05)
        await library.remember_load(await library.get("pony"), again)
        await again.stop()


async def test_a_draft_model_in_the_same_process_is_not_counted(library: Library, fleet: SubprocessFleet) -> None:
    """Two models in one process: what one of them takes cannot be told."""
    record = await library.get("pony")
    await library.remember_load(record, await fleet.start(pony(draft=True)))
    assert (await library.show("pony")).memory_basis == "headers"
    await library.remember_load(record, await fleet.start(pony()))
    assert (await library.show("pony")).memory_basis == "measured"


async def test_measurements_are_of_one_revision_and_one_device_and_stay_few(
    library: Library, fleet: SubprocessFleet, tmp_path: Path
) -> None:
    """A year of daily pulls leaves a bounded table, and a new revision is not judged by an old one."""
    runner = await fleet.start(pony())
    record = await library.get("pony")
    times = (datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=second) for second in range(10_000))
    async with await Database.open(tmp_path / "measured.db") as database:
        measurements = Measurements(database, device="cpu", now=lambda: next(times))
        loaded = MemoryFacts(loaded_bytes=runner.model.memory_bytes)
        await measurements.keep(record, runner)
        assert await measurements.of(record) == (loaded,)
        assert await measurements.of(replace(record, revision="another")) == ()
        assert await Measurements(database, device="metal", now=lambda: next(times)).all() == {}
        await measurements.keep(replace(record, revision=None), runner)
        assert await measurements.of(replace(record, revision=None)) == (loaded,)
        for number in range(MEASUREMENTS_MAX + 5):
            await measurements.keep(replace(record, revision=str(number)), runner)
        assert len(await measurements.all()) == MEASUREMENTS_MAX
        assert await measurements.of(record) == ()
        await asyncio.gather(*(measurements.keep(record, runner) for _ in range(4)))
        assert await measurements.of(record) == (loaded,)


async def test_the_last_peaks_of_a_model_are_kept_with_their_work(
    library: Library, fleet: SubprocessFleet, tmp_path: Path
) -> None:
    """A prediction follows the newest loads, and a model that is loaded every hour does not fill the database."""
    runner = await fleet.start(pony())
    record = await library.get("pony")
    async with await Database.open(tmp_path / "measured.db") as database:
        measurements = Measurements(database, device="cpu", now=lambda: datetime(2026, 3, 1, tzinfo=UTC))
        assert not await measurements.keep_peak(record, runner)  # it has done nothing yet
        await runner.warm(prefill_tokens=40, tokens=3)
        for _ in range(PEAKS_OF_ONE_MAX + 3):
            assert await measurements.keep_peak(record, runner)
        facts = await measurements.of(record)
        assert len(facts) == PEAKS_OF_ONE_MAX
        assert facts[-1].peak_bytes > facts[-1].loaded_bytes == runner.model.memory_bytes
        assert (facts[-1].context, facts[-1].tokens, facts[-1].step_tokens) == (42, 42, 40)
        await measurements.keep(record, runner)
        assert len(await measurements.of(record)) == PEAKS_OF_ONE_MAX + 1
        assert await measurements.of(replace(record, revision="another")) == ()
