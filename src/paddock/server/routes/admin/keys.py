"""`/admin/keys`: keys of programs. A key is shown once, when it is made."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, Field
from starlette.responses import Response

from paddock.security.api_keys import ApiKey, KeyTerms, NewKey
from paddock.security.callers import Scope
from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, Body, answer
from paddock.server.routes.admin.shapes import KeyList

Which = Annotated[str, Path(max_length=64, description="The id or the name of a key.")]
Scopes = Annotated[list[Scope], Field(min_length=1, max_length=8)]
Models = Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=100)]
Limit = Annotated[int, Field(ge=1, le=1 << 50)]


class Terms(Body):
    scopes: Scopes = Field(default=[Scope.CHAT, Scope.EMBEDDINGS])
    models: Models = Field(default=[], description="Names or patterns such as `qwen*`; none is every model.")
    requests_per_minute: Limit | None = None
    tokens_per_day: Limit | None = None
    expires_at: AwareDatetime | None = None


class KeyBody(Terms):
    name: str = Field(min_length=1, max_length=64)


class RotateBody(Body):
    grace_s: float = Field(default=0, ge=0, le=366 * 86400, description="Seconds for which the old secret still holds.")


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/keys", responses=FAILURES)
    keys = rooms.keys

    @routes.get("", operation_id="list_keys", response_model=KeyList)
    async def list_keys() -> Response:
        """Every key, also those that were revoked or have expired; never the keys themselves."""
        return answer(KeyList(keys=tuple(await keys.list())))

    @routes.get("/{which}", operation_id="get_key", response_model=ApiKey)
    async def get(which: Which) -> Response:
        """One key."""
        return answer(await keys.get(which))

    @routes.post("", operation_id="add_key", response_model=NewKey, status_code=201)
    async def add(body: KeyBody) -> Response:
        """Make a key; `secret` is shown now and never again. From the first one on, every address wants a key."""
        return _once(await keys.add(body.name, KeyTerms(**_terms(body))))

    @routes.patch("/{which}", operation_id="edit_key", response_model=ApiKey)
    async def edit(which: Which, body: Terms) -> Response:
        """Give a key other terms. What is left out stays; `null` takes a limit away."""
        key = await keys.get(which)
        return answer(await keys.edit(key.id, replace(key.terms, **_terms(body))))

    @routes.post("/{which}/rotate", operation_id="rotate_key", response_model=NewKey)
    async def rotate(which: Which, body: RotateBody) -> Response:
        """A new secret for the same key, shown once. The old one holds for `grace_s`."""
        return _once(await keys.rotate(which, grace=timedelta(seconds=body.grace_s)), 200)

    @routes.post("/{which}/revoke", operation_id="revoke_key", response_model=ApiKey)
    async def revoke(which: Which) -> Response:
        """From now on it opens nothing. It stays listed, so that records can be read."""
        return answer(await keys.revoke(which))

    @routes.delete("/{which}", operation_id="remove_key", response_model=ApiKey)
    async def remove(which: Which) -> Response:
        """Forget a key; the answer is what it was."""
        return answer(await keys.remove(which))

    return routes


def _terms(body: Terms) -> dict[str, Any]:
    """The terms that a request named."""
    given = {name: getattr(body, name) for name in Terms.model_fields if name in body.model_fields_set}
    made: dict[str, type[Any]] = {"scopes": frozenset, "models": tuple}
    return {name: made[name](value) if name in made else value for name, value in given.items()}


def _once(key: NewKey, status: int = 201) -> Response:
    response = answer(key, status)
    response.headers["cache-control"] = "no-store"
    return response
