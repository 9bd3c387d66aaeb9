"""`/healthz`: the process lives. `/readyz`: it takes work, and what it was told to have loaded can be loaded."""

from enum import StrEnum
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse

from paddock.config.kinds import listed
from paddock.pool.status import MemoryState
from paddock.server.rooms import ServerRooms


class Readiness(StrEnum):
    READY = "ready"
    DRAINING = "draining"  # it ends
    FAILING = "failing"  # the process of a model that is to stay in memory ended for good


class HealthAnswer(BaseModel):
    status: str = "ok"


class ReadyAnswer(BaseModel):
    status: Readiness
    loading: list[str]  # models that are on their way into memory; requests for them wait
    failed: list[str]


def router(rooms: ServerRooms) -> APIRouter:
    """Both want no key."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz")
    async def healthz() -> HealthAnswer:
        """Answers as long as the process does."""
        return HealthAnswer()

    @routes.get("/readyz", response_model=ReadyAnswer, responses={503: {"model": ReadyAnswer}})
    async def readyz() -> JSONResponse:
        """503 while the server ends, or while the process of a pinned or preloaded model has ended for good.

        Models that are still loading do not count against it: the server takes requests for them, which wait.
        """
        answer = look(rooms)
        status = HTTPStatus.OK if answer.status is Readiness.READY else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(answer.model_dump(mode="json"), status_code=status)

    return routes


def look(rooms: ServerRooms) -> ReadyAnswer:
    """How it stands now. Asks nobody, so it is as good under load as without."""
    models = rooms.pool.status().models.values()
    wanted = listed(rooms.config.pool.preload)
    loading = [model.name for model in models if model.state in (MemoryState.LOADING, MemoryState.RESTARTING)]
    failed = [
        model.name for model in models if model.state is MemoryState.FAILED and (model.pinned or model.name in wanted)
    ]
    status = Readiness.FAILING if failed else Readiness.READY
    return ReadyAnswer(status=Readiness.DRAINING if rooms.life.draining else status, loading=loading, failed=failed)
