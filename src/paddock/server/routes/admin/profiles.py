"""`/admin/profiles/{name}`: profiles of one's own. They are settings, written to the user's file, and hold at once."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.responses import Response

from paddock.config.edit import set_values, unset_values
from paddock.errors import NotFound
from paddock.gateway.directory import profiles_of
from paddock.gateway.profiles import Profile
from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, Body, answer

_PROFILES: Final = "model.routing.profiles"
_OVERRIDES: Final = "model.routing.overrides"
_WORDS_MAX: Final = 64

Name = Annotated[str, Path(max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Word = Annotated[str, Field(max_length=64)]


class ProfileBody(Body):
    description: str = Field(default="", max_length=500, description="One line about it.")
    preferred_families: list[Word] = Field(default=[], max_length=_WORDS_MAX, description="Best first.")
    min_context_window: int = Field(default=0, ge=0, le=1_000_000_000, description="Tokens that a model must take.")
    required_capabilities: list[Word] = Field(default=["streaming"], max_length=_WORDS_MAX)
    fallback_profile: str | None = Field(
        default=None, max_length=64, description="The profile that decides when no model suits this one."
    )
    override: str | None = Field(
        default=None, max_length=512, description="The model that answers if it is here, whatever the profile says."
    )

    def values(self, name: str) -> dict[str, str | None]:
        """As they stand in the file, below their keys; None has no place there."""
        return {
            f"{_PROFILES}.{name}.description": self.description,
            f"{_PROFILES}.{name}.preferred_families": ",".join(self.preferred_families),
            f"{_PROFILES}.{name}.min_context_window": str(self.min_context_window),
            f"{_PROFILES}.{name}.required_capabilities": ",".join(self.required_capabilities),
            f"{_PROFILES}.{name}.fallback_profile": self.fallback_profile or None,
            f"{_OVERRIDES}.{name}": self.override or None,
        }


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/profiles", responses=FAILURES)
    file = rooms.config.paths.config_file

    async def taken_up() -> None:
        await rooms.in_force.take_up("model.routing.default_profile")

    @routes.put("/{name}", operation_id="put_profile", response_model=Profile)
    async def put(name: Name, body: ProfileBody) -> Response:
        """Write a profile of your own, all or nothing; one of a built-in profile's name stands in its place."""
        values = body.values(name)
        given = {key: value for key, value in values.items() if value is not None}
        await asyncio.to_thread(set_values, file, given, without=values.keys() - given.keys())
        await taken_up()
        return answer(profiles_of(rooms.in_force.config).get(name))

    @routes.delete("/{name}", operation_id="remove_profile", response_model=Profile)
    async def remove(name: Name) -> Response:
        """Remove a profile of your own; the answer is what it was. A built-in one of its name holds again."""
        found = profiles_of(rooms.in_force.config).get(name)
        if not found.own:
            raise NotFound(f"`{name}` is built in.", hint="Write one of your own of this name in its place.")
        taken = await asyncio.to_thread(unset_values, file, [f"{_OVERRIDES}.{name}", f"{_PROFILES}.{name}"])
        if f"{_PROFILES}.{name}" not in taken:
            raise NotFound(
                f"`{name}` stands in another place than your own file.",
                hint="`paddock config show --source` says where.",
            )
        await taken_up()
        return answer(found)

    return routes
