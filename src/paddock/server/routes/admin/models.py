"""`/admin/models/*`: what is in memory, and what shall be."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.responses import Response

from paddock.config.schema import Config
from paddock.config.units import parse_memory
from paddock.errors import InvalidConfig
from paddock.library.trials.results import TrialResult
from paddock.pool.status import LimitsPreview
from paddock.server.models_document import (
    LoadAnswer,
    ModelsInMemory,
    ModelsStatus,
    PinAnswer,
    UnloadAnswer,
    WarmAnswer,
)
from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, Body, answer

Id = Annotated[str, Path(description="A model's name, an alias, or a short name that fits only one.")]
_WARM_TOKENS_MAX = 8192


class LoadBody(Body):
    pin: bool | None = Field(default=None, description="Whether it stays until it is unloaded; null is as set.")
    warm: bool | None = Field(default=None, description="Whether to warm it up; null is as set.")


class UnloadBody(Body):
    force: bool = Field(default=False, description="Also while requests use it: they end with an error.")


class PinBody(Body):
    pinned: bool = True


class WarmBody(Body):
    prefill_tokens: int = Field(default=128, ge=1, le=_WARM_TOKENS_MAX)
    tokens: int = Field(default=4, ge=1, le=_WARM_TOKENS_MAX)
    keep_loaded: bool | None = Field(
        default=None, description="True keeps it in memory from then on, false unloads it afterwards."
    )


class LimitsBody(Body):
    """What is left out is as it is."""

    memory: str | None = Field(default=None, max_length=100, description="As `pool.memory` is written: `75%`, `6GB`.")
    max_models: int | None = Field(default=None, ge=1, le=10_000)
    policy: Literal["lru", "largest", "idle"] | None = None


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/models", responses=FAILURES)
    models = ModelsInMemory(rooms.pool, rooms.library, now=rooms.now)

    @routes.post("/load/{id:path}", operation_id="load_model", response_model=LoadAnswer)
    async def load(id: Id, body: LoadBody | None = None) -> Response:  # noqa: A002 (its name in the address)
        """Bring a model into memory. However many ask, it is loaded once."""
        body = body or LoadBody()
        return answer(await models.load(id, pin=body.pin, warm=body.warm))

    @routes.post("/unload/{id:path}", operation_id="unload_model", response_model=UnloadAnswer)
    async def unload(id: Id, body: UnloadBody | None = None) -> Response:  # noqa: A002
        """Take a model out of memory. 409 while requests use it, unless forced."""
        return answer(await models.unload(id, force=(body or UnloadBody()).force))

    @routes.post("/pin/{id:path}", operation_id="pin_model", response_model=PinAnswer)
    async def pin(id: Id, body: PinBody | None = None) -> Response:  # noqa: A002
        """Keep a model in memory once it is there, or no longer."""
        return answer(await models.pin(id, pinned=(body or PinBody()).pinned))

    @routes.post("/warm/{id:path}", operation_id="warm_model", response_model=WarmAnswer)
    async def warm(id: Id, body: WarmBody | None = None) -> Response:  # noqa: A002
        """Load a model if need be and run it once, so that the next request finds it quick."""
        body = body or WarmBody()
        warmed = await models.warm(
            id, prefill_tokens=body.prefill_tokens, tokens=body.tokens, keep_loaded=body.keep_loaded
        )
        return answer(warmed)

    @routes.post("/trial/{id:path}", operation_id="try_model", response_model=TrialResult)
    async def trial(id: Id) -> Response:  # noqa: A002
        """Load a model if need be and find out how fast it is and what it can do."""
        return answer(await models.trial(id))

    @routes.post("/limits/plan", operation_id="plan_limits", response_model=LimitsPreview)
    async def plan_limits(body: LimitsBody) -> Response:
        """Which models would leave at once under other limits. Changes nothing."""
        return answer(rooms.pool.preview(rooms.limits_of(_limited(rooms.in_force.config, body))))

    @routes.get("/status", operation_id="models_status", response_model=ModelsStatus)
    async def status() -> Response:
        """Every model in memory, and the room for more."""
        return answer(await models.status())

    return routes


def _limited(config: Config, body: LimitsBody) -> Config:
    """The settings with other limits. Raises InvalidConfig for what is no amount of memory."""
    given: dict[str, Any] = body.model_dump(exclude_none=True)
    if body.memory is not None:
        try:
            given["memory"] = parse_memory(body.memory)
        except ValueError as error:
            raise InvalidConfig(
                f"`pool.memory` cannot be `{body.memory}`: {error}.",
                hint="Give a share like `75%` or bytes like `6GB`.",
            ) from error
    return config.model_copy(update={"pool": config.pool.model_copy(update=given)})
