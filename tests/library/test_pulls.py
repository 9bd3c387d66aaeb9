"""Pulls as jobs: joined, paused, resumed, cancelled, picked up after a crash, told about, and stopped from elsewhere."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from paddock.db.engine import Database
from paddock.errors import InUse, ModelNotFound, NotFound, PaddockError
from paddock.library.library import Library
from paddock.library.pulling.jobs import Jobs
from paddock.library.pulling.plan import PullOptions
from paddock.vocabulary import ModelStatus, ProgressEvent, PullStatus
from tests.fakes.faults import Drop, Slow, Unavailable
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models
from tests.library.rooms import Events, Site

WEIGHTS = "model.safetensors"
BIG_KIB = 4096


@pytest.fixture
def slow_hub(hub: HuggingFaceHub) -> HuggingFaceHub:
    """A model of 4 MB that takes a few seconds, so that there is time to interfere."""
    hub.add_repo("org/big", models.mlx(kib=BIG_KIB))
    hub.fail(WEIGHTS, Slow(1 << 20), times=None, at="storage", skip=1)  # the first request reads the header
    return hub


async def until_moving(library: Library, job_id: str, *, at_least: int = 1 << 18) -> None:
    """Wait until bytes of the weights arrive."""
    async with asyncio.timeout(10):
        async for event in library.pulls.events(job_id):
            if event.downloaded_bytes >= at_least:
                return


async def started(library: Library, reference: str = "org/big", options: PullOptions | None = None) -> str:
    job_id = await library.start_pull(reference, options)
    assert job_id is not None
    return job_id


def dead_process() -> str:
    """An owner of this machine that does not run: process 1 began at another time."""
    return f"{socket.gethostname()}:1:0.00"


@asynccontextmanager
async def jobs_of(site: Site) -> AsyncIterator[Jobs]:
    """The rows, as another process sees them."""
    async with await Database.open(site.config.paths.database_file) as database:
        yield Jobs(database)


# Started and joined


async def test_a_pull_is_a_job_with_a_beginning_and_an_end(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.mlx())
    async with site.open() as library:
        job_id = await started(library, "org/tiny")
        running = await library.pulls.get(job_id)
        done = await library.pulls.wait(job_id)
        assert running.status is PullStatus.QUEUED
        assert running.owner is not None
        assert done.status is PullStatus.COMPLETE
        assert (done.owner, done.error, done.wish) == (None, None, None)
        assert done.downloaded_bytes == done.total_bytes == models.total(models.mlx())
        assert [job.id for job in await library.pulls.list()] == [job_id]
        assert await library.pulls.list(unfinished=True) == []


async def test_who_pulls_the_same_model_twice_joins_the_first(site: Site, hub: HuggingFaceHub) -> None:
    """Two tabs of the dashboard, or a person and a script: the bytes move once."""
    hub.add_repo("org/tiny", models.mlx(kib=64))
    async with site.open() as library:
        plan = await library.plan("org/tiny")
        hub.forget()
        first, second = await asyncio.gather(library.pull("org/tiny"), library.pull("org/tiny"))
        jobs = await library.pulls.list()
    assert first == second
    assert len(jobs) == 1
    assert sum(entry.bytes_sent for entry in hub.requests(WEIGHTS, at="storage") if entry.range is None) < (
        plan.total_bytes + 100_000
    )


async def test_a_second_process_is_told_who_pulls(site: Site, slow_hub: HuggingFaceHub) -> None:
    async with site.open() as one, site.open() as other:
        await started(one)
        with pytest.raises(InUse, match="org/big"):
            await other.pull("org/big")
        assert await other.status("org/big") is ModelStatus.DOWNLOADING
        assert (await other.show("org/big")).info.status is ModelStatus.DOWNLOADING


async def test_pulling_what_is_here_moves_no_byte(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.mlx(kib=1024))
    async with site.open() as library:
        await library.pull("org/tiny")
        hub.forget()
        again = Events()
        await library.pull("org/tiny", on_progress=again)
    assert hub.bytes_sent(WEIGHTS) < 100_000  # its header, for the plan
    assert again.last.percentage == 100.0


# Paused, resumed, cancelled


async def test_a_paused_pull_goes_on_where_it_stopped(site: Site, slow_hub: HuggingFaceHub) -> None:
    async with site.open() as library:
        job_id = await started(library)
        await until_moving(library, job_id)
        paused = await library.pulls.pause(job_id)
        with pytest.raises(NotFound):
            await library.get("org/big")
        slow_hub.heal()
        slow_hub.forget()
        resumed = await library.pulls.resume(job_id)
        done = await library.pulls.wait(job_id)

    assert paused.status is PullStatus.PAUSED
    assert 0 < paused.downloaded_bytes < paused.total_bytes
    assert (resumed.id, resumed.attempts) == (job_id, 2)
    assert done.status is PullStatus.COMPLETE
    fetched = [entry.range for entry in slow_hub.requests(WEIGHTS, at="storage")]
    assert fetched[-1] is not None
    assert int(fetched[-1].removeprefix("bytes=").rstrip("-")) > 1 << 17
    assert site.leftovers() == []


async def test_a_plan_of_a_paused_pull_counts_its_bytes(site: Site, slow_hub: HuggingFaceHub) -> None:
    """Else a nearly finished pull would be refused for a disk that has room for the rest."""
    async with site.open() as library:
        job_id = await started(library)
        await until_moving(library, job_id)
        await library.pulls.pause(job_id)
        plan = await library.plan("org/big")
        site.free_bytes = plan.total_bytes  # too little for all of it, enough for what is missing
        again = await library.plan("org/big")
    parts = sum(path.stat().st_size for path in site.leftovers())
    small = sum(file.size or 0 for file in plan.files if file.here)
    assert parts > 1 << 17
    assert plan.here_bytes == parts + small
    assert plan.fetch_bytes == plan.total_bytes - plan.here_bytes
    assert again.disk.floor_bytes < site.free_bytes


async def test_a_resumed_pull_stays_at_the_revision_it_began_with(site: Site, slow_hub: HuggingFaceHub) -> None:
    """A branch that moved in between must not mix two revisions, nor throw away what is here."""
    began_at = slow_hub.repositories["org/big"].sha
    async with site.open() as library:
        job_id = await started(library)
        await until_moving(library, job_id)
        await library.pulls.pause(job_id)
        moved_to = slow_hub.commit("org/big", {"config.json": b'{"model_type": "qwen3", "new": 1}'})
        slow_hub.heal()
        site.clock.advance(301)  # what the hub told is remembered for five minutes
        planned = await library.plan("org/big")
        model = await library.pull("org/big")
        site.clock.advance(301)
        newest = await library.plan("org/big")
    assert planned.revision == model.revision == began_at
    assert newest.revision == moved_to
    assert [file.path for file in newest.files if not file.here] == ["config.json"]


async def test_a_pull_whose_revision_was_taken_back_begins_anew(site: Site, slow_hub: HuggingFaceHub) -> None:
    """Owners squash their history. The person asked for the model, not for that commit."""
    async with site.open() as library:
        job_id = await started(library)
        await until_moving(library, job_id)
        await library.pulls.pause(job_id)
        slow_hub.heal()
        slow_hub.add_repo("org/big", models.mlx(kib=16, seed=7))
        model = await library.pull("org/big")
        before = await library.pulls.get(job_id)
    assert model.revision == slow_hub.repositories["org/big"].sha
    assert before.status is PullStatus.CANCELLED
    assert site.leftovers() == []


async def test_cancelling_deletes_the_parts(site: Site, slow_hub: HuggingFaceHub) -> None:
    async with site.open() as library:
        job_id = await started(library)
        await until_moving(library, job_id)
        assert site.leftovers()
        cancelled = await library.pulls.cancel(job_id)
        assert cancelled.status is PullStatus.CANCELLED
        assert site.leftovers() == []
        assert await library.status("org/big") is ModelStatus.NOT_FOUND
        with pytest.raises(NotFound, match="nothing to resume"):
            await library.pulls.resume(job_id)


async def test_a_paused_pull_can_be_cancelled_by_a_later_process(site: Site, slow_hub: HuggingFaceHub) -> None:
    async with site.open() as library:
        job_id = await started(library)
        await until_moving(library, job_id)
        await library.pulls.pause(job_id)
    assert site.leftovers()
    async with site.open() as later:
        assert (await later.pulls.cancel("org/big")).status is PullStatus.CANCELLED
        assert site.leftovers() == []
        assert (await later.pulls.cancel(job_id)).status is PullStatus.CANCELLED


async def test_cancelling_the_wait_pauses_the_pull(site: Site, slow_hub: HuggingFaceHub) -> None:
    """This is what Ctrl-C is."""
    async with site.open() as library:
        waiting = asyncio.create_task(library.pull("org/big"))
        while not await library.pulls.list():
            await asyncio.sleep(0.01)
        (job,) = await library.pulls.list()
        await until_moving(library, job.id)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await library.pulls.get(job.id)).status is PullStatus.PAUSED
    assert site.leftovers()


async def test_closing_the_library_pauses_what_runs(site: Site, slow_hub: HuggingFaceHub) -> None:
    async with site.open() as library:
        job_id = await started(library)
        await until_moving(library, job_id)
    async with site.open() as later:
        job = await later.pulls.get(job_id)
    assert job.status is PullStatus.PAUSED
    assert job.owner is None
    assert job.downloaded_bytes > 1 << 17


# From another process


async def test_another_process_pauses_a_pull_by_leaving_a_wish(site: Site, slow_hub: HuggingFaceHub) -> None:
    async with site.open() as one, site.open() as other:
        waiting = asyncio.create_task(one.pull("org/big"))
        while not await other.pulls.list():
            await asyncio.sleep(0.01)
        (job,) = await other.pulls.list()
        await until_moving(one, job.id)
        assert (await other.pulls.pause(job.id)).status is PullStatus.DOWNLOADING
        with pytest.raises(PaddockError) as told:
            await waiting
        assert "paused" in told.value.message
        assert (await other.pulls.get(job.id)).status is PullStatus.PAUSED


async def test_another_process_cancels_a_pull_and_its_parts(site: Site, slow_hub: HuggingFaceHub) -> None:
    async with site.open() as one, site.open() as other:
        job_id = await started(one)
        await until_moving(one, job_id)
        await other.pulls.cancel(job_id)
        job = await one.pulls.wait(job_id)
        assert job.status is PullStatus.CANCELLED
        assert site.leftovers() == []


async def test_a_pull_whose_process_died_shows_as_paused_and_is_picked_up(site: Site, slow_hub: HuggingFaceHub) -> None:
    async with site.open() as library:
        job_id = await started(library)
        await until_moving(library, job_id)
    async with jobs_of(site) as jobs:
        left = await jobs.get(job_id)
        assert left is not None
        await jobs.save(replace(left, status=PullStatus.DOWNLOADING, owner=dead_process()))
    slow_hub.heal()
    async with site.open() as later:
        seen = await later.pulls.get(job_id)
        assert seen.status is PullStatus.PAUSED
        assert "ended" in (seen.error or "")
        assert await later.status("org/big") is ModelStatus.NOT_FOUND
        (resumed,) = await later.pulls.resume_interrupted()
        assert resumed.id == job_id
        await later.pulls.wait(job_id)
        assert await later.status("org/big") is ModelStatus.AVAILABLE
        assert await later.pulls.resume_interrupted() == []
    assert site.leftovers() == []


async def test_a_pull_that_cannot_be_picked_up_says_why(site: Site, slow_hub: HuggingFaceHub) -> None:
    """A server that starts must not fail for it."""
    async with site.open() as library:
        job_id = await started(library)
        await until_moving(library, job_id)
    async with jobs_of(site) as jobs:
        left = await jobs.get(job_id)
        assert left is not None
        await jobs.save(replace(left, status=PullStatus.DOWNLOADING, owner=dead_process()))
    del slow_hub.repositories["org/big"]
    async with site.open() as later:
        assert await later.pulls.resume_interrupted() == []
        job = await later.pulls.get(job_id)
    assert job.status is PullStatus.ERROR
    assert job.error_code == ModelNotFound.code
    assert "org/big" in (job.error or "")


# Failed


async def test_an_error_stays_in_the_row_and_the_pull_can_go_on(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/big", models.mlx(kib=BIG_KIB))
    hub.fail(WEIGHTS, Drop(after=1 << 20), at="storage", skip=1)
    hub.fail(WEIGHTS, Unavailable(), times=None, at="storage", skip=2)
    async with site.open() as library:
        with pytest.raises(PaddockError) as failure:
            await library.pull("org/big")
        (job,) = await library.pulls.list(unfinished=True)
        assert job.status is PullStatus.ERROR
        assert job.error_code == failure.value.code
        assert job.error == failure.value.message
        assert job.downloaded_bytes >= 1 << 19
        hub.heal()
        hub.forget()
        await library.pulls.resume(job.id)
        done = await library.pulls.wait(job.id)
        assert (done.status, done.error, done.attempts) == (PullStatus.COMPLETE, None, 2)
    assert hub.bytes_sent(WEIGHTS) < (BIG_KIB << 10) - (1 << 19)


async def test_there_is_no_pull_of_that_name(site: Site) -> None:
    async with site.open() as library:
        for call in (library.pulls.get, library.pulls.pause, library.pulls.cancel, library.pulls.resume):
            with pytest.raises(NotFound, match="no pull `nothing`"):
                await call("nothing")
        assert [event async for event in library.pulls.events("nothing")] == []


# Told about


async def test_everyone_who_follows_hears_it_to_the_end(site: Site, slow_hub: HuggingFaceHub) -> None:
    async with site.open() as library:
        job_id = await started(library)

        async def follow() -> list[ProgressEvent]:
            return [event async for event in library.pulls.events(job_id)]

        first = asyncio.create_task(follow())
        await until_moving(library, job_id)
        second = asyncio.create_task(follow())
        await asyncio.sleep(0)
        slow_hub.heal()
        await library.pulls.pause(job_id)
        heard = await first, await second
    for events in heard:
        assert events[-1].status is PullStatus.PAUSED
        assert [event.downloaded_bytes for event in events] == sorted(event.downloaded_bytes for event in events)
    assert heard[0][0].percentage == 0.0
    assert heard[1][0].downloaded_bytes >= 1 << 18


async def test_a_follower_that_stops_listening_disturbs_nobody(site: Site, slow_hub: HuggingFaceHub) -> None:
    async with site.open() as library:
        job_id = await started(library)
        async for _ in library.pulls.events(job_id):
            break
        slow_hub.heal()
        assert (await library.pulls.pause(job_id)).status is PullStatus.PAUSED
