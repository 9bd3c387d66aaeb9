"""`/admin/requests/{id}/timeline`: one request's way through the server."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from paddock.errors import NotFound
from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, answer
from paddock.telemetry.timeline import Timeline

Id = Annotated[str, Path(max_length=64, description="What `x-paddock-request-id` said.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineStep:
    """One step. Seconds count from when the request arrived."""

    name: str  # `route`, `attempt`, `lease`, `queue`, `prompt`, `generate`
    parent: int | None  # the number of the attempt, in `steps`, that it belongs to
    began_seconds: float
    ended_seconds: float
    provider: str | None  # of an attempt
    model: str | None  # of an attempt
    error: str | None  # the code of what ended it


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTimeline:
    """One request that has ended."""

    request_id: str
    trace_id: str  # 32 hexadecimal digits, as traces elsewhere have it
    at: datetime  # when it arrived
    endpoint: str
    status: int
    error: str | None
    model: str
    provider: str
    attempts: int
    prompt_tokens: int
    completion_tokens: int
    first_token_seconds: float | None
    seconds: float
    steps: tuple[TimelineStep, ...]  # in the order in which they began


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/requests", responses=FAILURES)

    @routes.get("/{id}/timeline", operation_id="request_timeline", response_model=RequestTimeline)
    async def timeline(id: Id) -> Response:  # noqa: A002 (its name in the address)
        """What a request waited for and how long: routing, each attempt, loading, the queue, its prompt, its answer.

        The latest thousand requests that have ended are kept, in memory.
        """
        found = rooms.timelines.find(id)
        if found is None:
            raise NotFound(
                "No request of this id is remembered.",
                hint="The latest thousand that have ended are; `/admin/audit` has a row of older ones.",
            )
        return answer(_told(found))

    return routes


def _told(line: Timeline) -> RequestTimeline:
    own = line.attributes
    first = own.get("first_token_seconds")
    return RequestTimeline(
        request_id=line.request_id,
        trace_id=f"{line.trace_id:032x}",
        at=line.at,
        endpoint=str(own.get("endpoint", "")),
        status=int(own.get("status", 0)),
        error=line.error or None,
        model=str(own.get("model", "")),
        provider=str(own.get("provider", "")),
        attempts=int(own.get("attempts", 0)),
        prompt_tokens=int(own.get("prompt_tokens", 0)),
        completion_tokens=int(own.get("completion_tokens", 0)),
        first_token_seconds=None if first is None else float(first),
        seconds=line.seconds,
        steps=tuple(
            TimelineStep(
                name=step.name,
                parent=step.parent,
                began_seconds=step.began_s,
                ended_seconds=line.seconds if step.ended_s is None else step.ended_s,
                provider=_text(step.attributes.get("provider")),
                model=_text(step.attributes.get("model")),
                error=step.error or None,
            )
            for step in line.steps
        ),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
