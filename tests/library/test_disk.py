"""A pull never overflows the disk: the floor, the comfortable amount, and the room that other pulls have reserved."""

import asyncio
import json
import os
import subprocess
import sys

import pytest

from paddock.errors import NotEnoughDisk
from paddock.library.pulling.plan import Plan, PullOptions
from paddock.store.space import DiskOutcome, required_bytes
from paddock.vocabulary import PullStatus
from tests.fakes.faults import Slow
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models
from tests.library.rooms import Site

WEIGHTS = "model.safetensors"
MEGABYTES = 4
FORCED = PullOptions(force=True)  # only the floor decides


@pytest.fixture
def two_models(hub: HuggingFaceHub) -> int:
    """`org/one` and `org/two`, each slow enough to be under way for a while; returns the size of one."""
    for number, name in enumerate(("org/one", "org/two")):
        hub.add_repo(name, models.mlx(kib=MEGABYTES << 10, seed=number))
        hub.fail(f"{name}/{WEIGHTS}", Slow(2 << 20), times=None, at="storage", skip=1)
    return models.total(models.mlx(kib=MEGABYTES << 10))


async def agree(plan: Plan) -> bool:
    return True


async def disagree(plan: Plan) -> bool:
    return False


# One pull


@pytest.mark.parametrize("options", [PullOptions(), PullOptions(force=True, skip_check=True)])
async def test_below_the_floor_nothing_helps(site: Site, hub: HuggingFaceHub, options: PullOptions) -> None:
    """The files and a tenth more, whatever is forced: a full disk breaks more than this pull."""
    hub.add_repo("org/tiny", models.mlx(kib=1024))
    async with site.open() as library:
        plan = await library.plan("org/tiny")
        site.free_bytes = required_bytes(plan.total_bytes) - 1
        hub.forget()
        with pytest.raises(NotEnoughDisk, match="org/tiny") as refusal:
            await library.pull("org/tiny", options, confirm=agree)
        assert refusal.value.exit_code == 3
        assert "paddock df" in refusal.value.hint
        assert hub.bytes_sent(WEIGHTS) < 100_000
        assert await library.pulls.list() == []
        site.free_bytes += 1
        await library.pull("org/tiny", PullOptions(force=True))


async def test_a_tight_disk_is_asked_about(site: Site, hub: HuggingFaceHub) -> None:
    """Between the floor and `disk.factor` times the size a person decides; without a person the answer is no."""
    hub.add_repo("org/tiny", models.mlx(kib=64))
    async with site.open() as library:
        plan = await library.plan("org/tiny")
        site.free_bytes = plan.total_bytes * 2 - 1
        tight = await library.plan("org/tiny")
        assert tight.disk.outcome is DiskOutcome.TIGHT
        assert tight.refusal() is None
        assert any("disk.factor" in warning for warning in tight.warnings)
        for confirm in (None, disagree):
            with pytest.raises(NotEnoughDisk) as refusal:
                await library.pull("org/tiny", confirm=confirm)
            assert "--yes" in refusal.value.hint
        assert await library.pulls.list() == []
        asked: list[str] = []

        async def remember(plan: Plan) -> bool:
            asked.append(plan.name)
            return True

        await library.pull("org/tiny", confirm=remember)
        assert asked == ["org/tiny"]


async def test_force_asks_nobody_and_room_enough_neither(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.mlx(kib=64))
    hub.add_repo("org/other", models.mlx(kib=64, seed=1))

    async def must_not_be_asked(plan: Plan) -> bool:
        raise AssertionError(plan.name)

    async with site.open() as library:
        plan = await library.plan("org/tiny")
        site.free_bytes = plan.total_bytes * 2 - 1
        await library.pull("org/tiny", FORCED, confirm=must_not_be_asked)
        site.free_bytes = plan.total_bytes * 2
        await library.pull("org/other", confirm=must_not_be_asked)


async def test_the_factor_is_a_setting(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.mlx(kib=64))
    site.environment["PADDOCK_DISK__FACTOR"] = "3"
    async with site.open() as library:
        plan = await library.plan("org/tiny")
        site.free_bytes = plan.total_bytes * 3 - 1
        assert (await library.plan("org/tiny")).disk.outcome is DiskOutcome.TIGHT


# Several pulls


async def test_two_pulls_that_together_overflow_the_disk_cannot_both_run(
    site: Site, hub: HuggingFaceHub, two_models: int
) -> None:
    """The room that the first has not filled yet looks free. It is not."""
    site.free_bytes = required_bytes(two_models) + two_models // 2
    async with site.open() as library:
        first = await library.start_pull("org/one", FORCED)
        assert first is not None
        with pytest.raises(NotEnoughDisk, match="for other pulls"):
            await library.pull("org/two", FORCED)
        assert hub.bytes_sent(f"org/two/{WEIGHTS}") < 100_000
        assert not (site.hub_cache / "models--org--two").exists()
        assert [job.name for job in await library.pulls.list()] == ["org/one"]
        await library.pulls.cancel(first)
        hub.heal()
        await library.pull("org/two", FORCED)


async def test_a_reservation_ends_with_a_pause_and_holds_for_a_plan(
    site: Site, hub: HuggingFaceHub, two_models: int
) -> None:
    site.free_bytes = required_bytes(two_models) + two_models // 2
    async with site.open() as library:
        first = await library.start_pull("org/one", FORCED)
        assert first is not None
        beside = await library.plan("org/two")
        await library.pulls.pause(first)
        after = await library.plan("org/two")
    assert beside.disk.reserved_bytes > two_models // 2
    assert beside.disk.outcome is DiskOutcome.REFUSED
    assert after.disk.reserved_bytes == 0


async def test_pulls_asked_for_at_once_are_compared_one_by_one(
    site: Site, hub: HuggingFaceHub, two_models: int
) -> None:
    site.free_bytes = required_bytes(two_models) + two_models // 2
    async with site.open() as one, site.open() as other:
        outcomes = await asyncio.gather(
            one.start_pull("org/one", FORCED), other.start_pull("org/two", FORCED), return_exceptions=True
        )
        jobs = await one.pulls.list()
    assert sorted(isinstance(outcome, NotEnoughDisk) for outcome in outcomes) == [False, True]
    assert len(jobs) == 1


async def test_two_processes_cannot_overflow_the_disk_together(
    site: Site, hub: HuggingFaceHub, two_models: int
) -> None:
    """Real processes, which know of each other only by the database and a lock file."""
    free = required_bytes(two_models) + two_models // 2
    processes = {name: start(site, free, name) for name in ("org/one", "org/two")}
    answers = {name: await asyncio.to_thread(answer_of, process) for name, process in processes.items()}
    refused = [name for name, answer in answers.items() if answer.get("code") == NotEnoughDisk.code]
    done = [name for name, answer in answers.items() if answer.get("name") == name]
    assert (len(refused), len(done)) == (1, 1), answers
    assert hub.bytes_sent(f"{refused[0]}/{WEIGHTS}") < 100_000
    async with site.open() as library:
        assert [(job.name, job.status) for job in await library.pulls.list()] == [(done[0], PullStatus.COMPLETE)]
    hub.heal()
    again = start(site, free, refused[0])
    assert (await asyncio.to_thread(answer_of, again)).get("name") == refused[0]


def start(site: Site, free_bytes: int, reference: str) -> "subprocess.Popen[str]":
    """A process that pulls `reference`."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.library.process"),
            *(str(site.folder), str(site.builtin_models), str(free_bytes), reference),
        ],
        env={"PATH": os.environ["PATH"], **site.variables},
        stdout=subprocess.PIPE,
        text=True,
    )


def answer_of(process: "subprocess.Popen[str]") -> dict[str, str]:
    output, _ = process.communicate(timeout=60)
    return json.loads(output)
