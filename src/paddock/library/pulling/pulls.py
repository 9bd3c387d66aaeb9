"""Pulls as background jobs: started, watched, paused, resumed, cancelled, and picked up again after a crash.

A job is a row (jobs.py) and, while it runs, a task of one process, which holds the model's lock. Its bytes are reserved on
the disk from the moment it is recorded until it ends, so two pulls that together would overflow the disk cannot both start.
Another process asks a running job to pause or cancel by leaving a wish in its row.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from paddock.errors import Defect, Interrupted, InUse, NotFound, PaddockError
from paddock.hub.progress import PullProgress
from paddock.hub.reference import ModelReference
from paddock.hub.source import Listing, RemoteFile
from paddock.hub.stopping import Stop
from paddock.library.pulling.jobs import FINISHED, RUNNING, Jobs, PullJob, is_alive, this_process
from paddock.library.pulling.plan import Plan, PullOptions
from paddock.library.pulling.watching import PullWatch
from paddock.store.locking import hold
from paddock.store.placement import Placement
from paddock.vocabulary import ProgressEvent, PullStatus

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)

TICK_S = 0.5  # a progress event at least this often
_ROW_EVERY_TICKS = 4  # the row follows every two seconds, and wishes are read as often
_THREADS_MAX = 32
_RESERVE_WAIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What moving the bytes takes. Made afresh at each start: addresses expire and programs restart."""

    reference: ModelReference
    plan: Plan
    listing: Listing
    missing: tuple[RemoteFile, ...]  # the files of the plan whose content is not here yet
    placement: Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRoom:
    """What pulls are handed: how to prepare, move and finish, and where reservations are agreed on."""

    jobs: Jobs
    prepare: Callable[
        [PullJob], Awaitable[Work]
    ]  # asks the source again, at the job's revision; raises what a plan raises
    check_room: Callable[[Work, int], None]  # raises NotEnoughDisk given the bytes that other pulls have reserved
    fetch: Callable[[Work, RemoteFile, PullProgress, Stop], None]  # blocking; one file to its final name
    discard: Callable[[PullJob], None]  # blocking; deletes the parts of a job that does not run
    finished: Callable[[Work, PullOptions, Path], Awaitable[None]]  # records the model
    volume: Callable[[Path], str]
    reservations: Path  # a lock file: one process at a time compares and reserves
    connections: int
    clock: Callable[[], float]
    now: Callable[[], datetime]


class _Running:
    """One job of this process."""

    def __init__(self, job: PullJob, work: Work, watch: PullWatch) -> None:
        self.job = job
        self.work = work
        self.watch = watch
        self.stop = Stop()
        self.cancelled = False
        self.error: PaddockError | None = None
        self.task: asyncio.Task[None] | None = None


class Pulls:
    """All pulls of this library. Use from one event loop; `close` pauses what runs."""

    def __init__(self, room: PullRoom) -> None:
        self._room = room
        self._jobs = room.jobs
        self._running: dict[str, _Running] = {}
        self._starting = asyncio.Lock()  # who asks twice at once joins, too
        self._threads = ThreadPoolExecutor(_THREADS_MAX, thread_name_prefix="pull")

    async def list(self, *, unfinished: bool = False) -> Sequence[PullJob]:
        """Every job, oldest first. A job whose process died shows as paused, which is what it is."""
        jobs = [self._as_seen(job) for job in await self._jobs.all()]
        return [job for job in jobs if not (unfinished and job.status in FINISHED)]

    async def get(self, job_id: str) -> PullJob:
        """One job by its id, or by the name of its model. Raises NotFound."""
        job = await self._jobs.get(job_id) or await self._jobs.unfinished(job_id)
        if job is None:
            raise NotFound(f"There is no pull `{job_id}`.", hint="`paddock pulls` lists them.")
        return self._as_seen(job)

    async def downloading(self, name: str) -> bool:
        """Whether some living process pulls this model now."""
        job = await self._jobs.unfinished(name)
        return job is not None and self._as_seen(job).status in RUNNING

    async def start(self, work: Work, options: PullOptions) -> PullJob:
        """Record the job, reserve its bytes and begin, or join the one that already pulls this model here.

        Raises NotEnoughDisk when other pulls have reserved the room, InUse when another process pulls this model.
        """
        async with self._starting:
            for running in self._running.values():
                if running.job.name == work.plan.name:
                    return running.job
            job = await self._reserve(work, options)
            running = _Running(job, work, PullWatch(work.plan, clock=self._room.clock, now=self._room.now))
            self._running[job.id] = running
            running.task = asyncio.create_task(self._run(running), name=f"pull {job.name}")
            return job

    async def wait(self, job_id: str) -> PullJob:
        """Until the job ends, well or not. Raises the error that ended it, if this process ran it."""
        running = self._running.get(job_id)
        if running is not None and running.task is not None:
            await asyncio.shield(running.task)
            if running.error is not None:
                raise running.error
        return await self.get(job_id)

    async def events(self, job_id: str) -> AsyncIterator[ProgressEvent]:
        """Progress from where it stands now to the end. Ends at once for a job that does not run in this process."""
        running = self._running.get(job_id)
        if running is not None:
            async for event in running.watch.follow():
                yield event

    async def pause(self, job_id: str) -> PullJob:
        """Stop moving bytes and keep the parts."""
        return await self._end(job_id, wish="pause")

    async def cancel(self, job_id: str) -> PullJob:
        """Stop, and delete the parts. A cancelled job is over."""
        return await self._end(job_id, wish="cancel")

    async def resume(self, job_id: str) -> PullJob:
        """Go on with a paused or failed job, at the revision it began with."""
        job = await self.get(job_id)
        if job.status in FINISHED:
            raise NotFound(
                f"The pull of `{job.name}` is {job.status.value}; there is nothing to resume.",
                hint=f"Pull it again: `paddock pull {job.name}`.",
            )
        if job.id in self._running:
            return job
        work = await self._room.prepare(job)
        return await self.start(work, job.options)

    async def resume_interrupted(self) -> Sequence[PullJob]:
        """Go on with every job whose process died. A server calls this when it starts."""
        resumed: list[PullJob] = []
        for job in await self._jobs.all(RUNNING):
            if not is_alive(job.owner):
                try:
                    resumed.append(await self.resume(job.id))
                except PaddockError as error:
                    await self._jobs.save(self._failed(job, error))
        return resumed

    async def close(self) -> None:
        """Pause everything that runs here and wait for its threads."""
        for running in list(self._running.values()):
            running.stop.request()
        tasks = [running.task for running in self._running.values() if running.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        self._threads.shutdown()

    # How a job runs

    async def _reserve(self, work: Work, options: PullOptions) -> PullJob:
        """Compare with what others have reserved and record the job, as one step among all processes."""
        with ExitStack() as held:
            lock = hold(self._room.reservations, what="Disk space is being reserved", wait_s=_RESERVE_WAIT_S)
            await asyncio.to_thread(held.enter_context, lock)
            before = await self._jobs.unfinished(work.plan.name)
            if before is not None and self._as_seen(before).status in RUNNING:
                raise InUse(
                    f"`{work.plan.name}` is being pulled by another process ({before.owner}).",
                    hint="Watch it with `paddock pulls`, or pause it there first.",
                )
            job = self._job_for(work, options, before)
            reserved = await self._jobs.reserved_bytes(job.volume, except_id=job.id)
            self._room.check_room(work, reserved)
            await self._jobs.save(job)
        return job

    def _job_for(self, work: Work, options: PullOptions, before: PullJob | None) -> PullJob:
        now = self._room.now()
        plan = work.plan
        return PullJob(
            id=before.id if before else secrets.token_hex(6),
            name=plan.name,
            reference=plan.reference,
            revision=plan.revision,
            status=PullStatus.QUEUED,
            files=plan.files,
            options=options,
            total_bytes=plan.total_bytes,
            downloaded_bytes=plan.here_bytes,
            download_speed=0.0,
            volume=self._room.volume(work.placement.root),
            owner=this_process(),
            wish=None,
            error_code=None,
            error=None,
            attempts=before.attempts + 1 if before else 1,
            created_at=before.created_at if before else now,
            updated_at=now,
        )

    async def _run(self, running: _Running) -> None:
        """The task of one job: its only catch-all, because whoever waits must be told."""
        watch = running.watch
        ticker = asyncio.create_task(self._tick(running))
        try:
            with running.work.placement.lock():
                await self._set_status(running, PullStatus.DOWNLOADING)
                await self._fetch_missing(running)
                await self._set_status(running, PullStatus.VERIFYING)
                folder = await self._in_thread(running.work.placement.finish)
                await self._room.finished(running.work, running.job.options, folder)
            outcome = replace(running.job, status=PullStatus.COMPLETE, downloaded_bytes=running.job.total_bytes)
        except Interrupted:
            outcome = await self._interrupted(running)
        except PaddockError as error:
            running.error = error
            outcome = self._failed(running.job, error)
        except Exception as error:  # noqa: BLE001 (the boundary of the task: a bug here must not leave waiters hanging)
            _log.exception("pull.failed name=%s", running.job.name)
            running.error = Defect(
                f"The pull of `{running.job.name}` failed for a reason that Paddock does not know: {error!r}.",
                hint="This is a defect of Paddock; please report it. What was fetched is kept.",
            )
            outcome = self._failed(running.job, running.error)
        ticker.cancel()
        await asyncio.gather(ticker, return_exceptions=True)
        if outcome.status is not PullStatus.COMPLETE and outcome.status is not PullStatus.CANCELLED:
            outcome = replace(outcome, downloaded_bytes=watch.downloaded_bytes)
        running.job = replace(outcome, owner=None, wish=None, download_speed=0.0, updated_at=self._room.now())
        try:
            await self._jobs.save(running.job)
        finally:
            del self._running[running.job.id]
            watch.end(running.job.status, running.job.error)

    async def _fetch_missing(self, running: _Running) -> None:
        """Several files at once. The first failure stops the others; what they have stays."""
        room = asyncio.Semaphore(self._room.connections)

        async def fetch(files: Sequence[RemoteFile]) -> None:
            """Files with one content, one after the other: they share the part, and only the first moves bytes."""
            async with room:
                for file in files:
                    if not running.stop.requested:
                        await self._in_thread(
                            self._room.fetch, running.work, file, running.watch.progress, running.stop
                        )

        by_key: dict[str, list[RemoteFile]] = {}
        for file in running.work.missing:
            by_key.setdefault(file.key, []).append(file)
        tasks = [asyncio.create_task(fetch(files)) for files in by_key.values()]
        failures: list[BaseException] = []
        for done in asyncio.as_completed(tasks):
            try:
                await done
            except Exception as error:  # noqa: BLE001 (collected and raised below, when no thread runs any more)
                running.stop.request()
                failures.append(error)
        # What the stop provoked in the others is not what went wrong.
        for failure in failures:
            if not isinstance(failure, Interrupted):
                raise failure
        running.stop.check()

    async def _in_thread(self, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: call(*arguments, **named))

    async def _tick(self, running: _Running) -> None:
        """Events twice a second; the row, and a look for wishes, every two seconds."""
        ticks = 0
        while True:
            await asyncio.sleep(TICK_S)
            ticks += 1
            event = running.watch.tick()
            if ticks % _ROW_EVERY_TICKS:
                continue
            try:
                wish = await self._jobs.progress(
                    running.job.id,
                    downloaded_bytes=event.downloaded_bytes,
                    speed=event.download_speed,
                    now=self._room.now(),
                )
            except PaddockError:  # the transfer goes on; the row follows at the next tick or at the end
                _log.warning("pull.progress_not_recorded name=%s", running.job.name)
                continue
            if wish is not None:
                running.cancelled = wish == "cancel"
                running.stop.request()

    async def _set_status(self, running: _Running, status: PullStatus) -> None:
        running.job = replace(
            running.job, status=status, downloaded_bytes=running.watch.downloaded_bytes, updated_at=self._room.now()
        )
        await self._jobs.set_status(running.job)
        running.watch.set_status(status)

    async def _interrupted(self, running: _Running) -> PullJob:
        if running.cancelled:
            await self._in_thread(running.work.placement.discard)
            return replace(running.job, status=PullStatus.CANCELLED)
        return replace(running.job, status=PullStatus.PAUSED)

    async def _end(self, job_id: str, *, wish: str) -> PullJob:
        job = await self.get(job_id)
        running = self._running.get(job.id)
        if running is not None and running.task is not None:
            running.cancelled = wish == "cancel"
            running.stop.request()
            await asyncio.shield(running.task)
            return await self.get(job.id)
        if job.status in FINISHED:
            return job
        if job.status in RUNNING:  # in another process, which reads wishes every two seconds
            await self._jobs.wish(job.id, wish)
            return job
        status = PullStatus.PAUSED
        if wish == "cancel":
            await self._in_thread(self._room.discard, job)
            status = PullStatus.CANCELLED
        job = replace(job, status=status, owner=None, updated_at=self._room.now())
        await self._jobs.save(job)
        return job

    def _failed(self, job: PullJob, error: PaddockError) -> PullJob:
        return replace(job, status=PullStatus.ERROR, error_code=error.code, error=error.message)

    def _as_seen(self, job: PullJob) -> PullJob:
        if job.status in RUNNING and job.id not in self._running and not is_alive(job.owner):
            return replace(job, status=PullStatus.PAUSED, error="The process that pulled it ended.")
        return job
