"""`/admin/pulls/*`: downloads as jobs of the server, and their progress."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.responses import Response

from paddock.library.library import Library
from paddock.library.pulling.jobs import RUNNING, PullJob
from paddock.library.pulling.plan import Plan
from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, STREAM, answer, event, stream
from paddock.server.routes.admin.library import PlanBody
from paddock.server.routes.admin.shapes import PullList, PullStarted
from paddock.vocabulary import ProgressEvent, PullStatus

Job = Annotated[str, Path(description="A pull's id, or the name of its model.")]
_LOOK_S: Final = 1.0  # at the row of a pull that another process runs


class PullBody(PlanBody):
    accept_tight_disk: bool = Field(default=False, description="Also when the disk will be nearly full afterwards.")


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/pulls", responses=FAILURES)
    library, pulls = rooms.library, rooms.library.pulls

    @routes.get("", operation_id="list_pulls", response_model=PullList)
    async def list_pulls(all: bool = False) -> Response:  # noqa: A002 (its name in the address)
        """Pulls that are under way or wait to go on; with `all` those that ended, too."""
        return answer(PullList(pulls=tuple(await pulls.list(unfinished=not all))))

    @routes.post("", operation_id="start_pull", response_model=PullStarted, status_code=202)
    async def start(body: PullBody) -> Response:
        """Begin to fetch a model, or join the pull that does. It goes on whether or not anybody watches."""

        async def agree(plan: Plan) -> bool:
            return body.accept_tight_disk

        job_id = await library.start_pull(body.reference, body.options, confirm=agree)
        if job_id is None:
            plan = await library.plan(body.reference, body.options)
            model = (await library.get(plan.name)).info()
            return answer(PullStarted(pull=None, model=model), 202)
        return answer(PullStarted(pull=await pulls.get(job_id), model=None), 202)

    @routes.get("/events/{id:path}", operation_id="pull_events", responses=STREAM, response_class=Response)
    async def events(id: Job) -> Response:  # noqa: A002
        """Progress: an event `progress` at least every two seconds; the first says 0 %, that of a complete pull 100 %."""
        return stream(_progress(library, await pulls.get(id)))

    @routes.post("/pause/{id:path}", operation_id="pause_pull", response_model=PullJob)
    async def pause(id: Job) -> Response:  # noqa: A002
        """Stop moving bytes and keep what is here."""
        return answer(await pulls.pause((await pulls.get(id)).id))

    @routes.post("/resume/{id:path}", operation_id="resume_pull", response_model=PullJob)
    async def resume(id: Job) -> Response:  # noqa: A002
        """Go on with a pull that was paused or failed."""
        return answer(await pulls.resume((await pulls.get(id)).id))

    @routes.post("/cancel/{id:path}", operation_id="cancel_pull", response_model=PullJob)
    async def cancel(id: Job) -> Response:  # noqa: A002
        """Stop, and delete what is here of it."""
        return answer(await pulls.cancel((await pulls.get(id)).id))

    @routes.get("/{id:path}", operation_id="get_pull", response_model=PullJob)
    async def get(id: Job) -> Response:  # noqa: A002
        """One pull."""
        return answer(await pulls.get(id))

    return routes


async def _progress(library: Library, job: PullJob) -> AsyncGenerator[bytes]:
    """From nothing to the end, whoever moves the bytes, and also for those who come late."""
    last = replace(_seen(job), percentage=0.0, downloaded_bytes=0, status=PullStatus.QUEUED, timestamp=job.created_at)
    yield event("progress", last)
    async for last in library.pulls.events(job.id):
        yield event("progress", last)
    while (job := await library.pulls.get(job.id)).status in RUNNING:  # another process's
        last = _seen(job)
        yield event("progress", last)
        await asyncio.sleep(_LOOK_S)
    if last.status is not job.status:
        yield event("progress", _seen(job))


def _seen(job: PullJob) -> ProgressEvent:
    """A pull's row as an event."""
    done = job.status is PullStatus.COMPLETE
    share = job.downloaded_bytes / job.total_bytes if job.total_bytes else float(done)
    speed = job.download_speed
    return ProgressEvent(
        percentage=100.0 if done else round(100 * share, 1),
        downloaded_bytes=job.downloaded_bytes,
        total_bytes=job.total_bytes,
        download_speed=speed,
        eta_seconds=job.remaining_bytes / speed if speed > 0 else None,
        current_file=None,
        files_completed=len(job.files) if done else 0,
        total_files=len(job.files),
        status=job.status,
        error=job.error,
        timestamp=job.updated_at,
    )
