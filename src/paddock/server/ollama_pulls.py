"""Pulls as Ollama's clients watch them: lines of progress. The pull is the library's, and goes on without a watcher."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from typing import Final

from paddock.dialects.ollama_names import pull_reference
from paddock.dialects.ollama_wire import PullLine, line
from paddock.errors import InUse, PaddockError
from paddock.library.pulling.jobs import RUNNING, PullJob
from paddock.server.ollama_models import known_name
from paddock.server.problems import ollama_error, unexpected
from paddock.server.rooms import ServerRooms
from paddock.telemetry.logs import get_logger
from paddock.vocabulary import Origin, ProgressEvent, PullStatus

_LOOK_S: Final = 1.0  # at the row of a pull that another process runs
_SHORT: Final = slice(7, 19)  # of a digest, as Ollama shows it

_log = get_logger("paddock.server")


async def begin(rooms: ServerRooms, name: str) -> PullJob | None:
    """Begin to fetch what a client calls `name`, or join the pull that does; None when there is nothing to fetch.

    Raises what keeps it from beginning, which so has a status of its own.
    """
    record = await rooms.library.find(await known_name(rooms, name))
    if record is not None and record.origin is not Origin.PULLED:
        return None  # built in, or another tool's: it is here
    job_id = await rooms.library.start_pull(record.reference if record is not None else pull_reference(name))
    return None if job_id is None else await rooms.library.pulls.get(job_id)


async def finish(rooms: ServerRooms, job: PullJob | None) -> PullLine:
    """The one object of a client that wants no stream. Raises what ended the pull."""
    if job is not None:
        _check_complete(await rooms.library.pulls.wait(job.id))
    return PullLine(status="success")


async def lines(rooms: ServerRooms, job: PullJob | None) -> AsyncGenerator[bytes]:
    """Progress to the end. What fails is the last line."""
    yield line(PullLine(status="pulling manifest"))
    # From the beginning: once it has ended, only the name of what ended it is left.
    ended = None if job is None else asyncio.ensure_future(rooms.library.pulls.wait(job.id))
    try:
        if job is not None and ended is not None:
            async for progress in _progress(rooms, job):
                yield line(progress)
            yield line(PullLine(status="verifying sha256 digest"))
            _check_complete(await ended)
            yield line(PullLine(status="writing manifest"))
        yield line(PullLine(status="success"))
    except PaddockError as error:
        yield line(ollama_error(error))
    except Exception as error:  # noqa: BLE001  (the boundary of a stream: the client learns that it failed, the log why)
        _log.error("stream.broke", exc_info=error)
        yield line(ollama_error(unexpected()))
    finally:
        if ended is not None:
            ended.cancel()  # the watching, not the pull
            await asyncio.gather(ended, return_exceptions=True)


async def _progress(rooms: ServerRooms, job: PullJob) -> AsyncGenerator[PullLine]:
    """Whoever moves the bytes, this process or another one."""
    digest = _digest(job)
    yield _downloading(digest, job.total_bytes, 0)
    async for event in rooms.library.pulls.events(job.id):
        if event.status in (PullStatus.DOWNLOADING, PullStatus.COMPLETE):
            yield _of_event(digest, event)
    while (job := await rooms.library.pulls.get(job.id)).status in RUNNING:
        yield _downloading(digest, job.total_bytes, job.downloaded_bytes)
        await asyncio.sleep(_LOOK_S)


def _of_event(digest: str, event: ProgressEvent) -> PullLine:
    return _downloading(digest, event.total_bytes, event.downloaded_bytes)


def _downloading(digest: str, total: int, completed: int) -> PullLine:
    return PullLine(status=f"pulling {digest[_SHORT]}", digest=digest, total=total, completed=completed)


def _digest(job: PullJob) -> str:
    """One for all files together: clients draw one bar a digest, and a pull here is counted as a whole."""
    return "sha256:" + hashlib.sha256(f"{job.name}\n{job.revision}".encode()).hexdigest()


def _check_complete(job: PullJob) -> None:
    if job.status is not PullStatus.COMPLETE:
        raise InUse(
            f"The pull of `{job.name}` was {job.status.value}{f': {job.error}' if job.error else ''}.",
            hint="Pull it again: it goes on where it stopped.",
        )
