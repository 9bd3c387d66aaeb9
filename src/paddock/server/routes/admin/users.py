"""`/admin/users`: people who may sign in."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field, SecretStr
from starlette.responses import Response

from paddock.security.callers import Scope
from paddock.security.passwords import CHARACTERS_MAX
from paddock.security.users import User
from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, Body, answer
from paddock.server.routes.admin.shapes import UserList

Name = Annotated[str, Path(max_length=64)]
Password = Annotated[SecretStr, Field(max_length=CHARACTERS_MAX)]
Scopes = Annotated[list[Scope], Field(min_length=1, max_length=8)]


class UserBody(Body):
    name: str = Field(min_length=1, max_length=64)
    password: Password
    scopes: Scopes = Field(default=[Scope.CHAT, Scope.EMBEDDINGS])


class UserChanges(Body):
    """What is left out stays."""

    password: Password | None = None
    scopes: Scopes | None = None
    disabled: bool | None = None


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/users", responses=FAILURES)
    users = rooms.users

    @routes.get("", operation_id="list_users", response_model=UserList)
    async def list_users() -> Response:
        """Everybody who may sign in."""
        return answer(UserList(users=tuple(await users.list())))

    @routes.post("", operation_id="add_user", response_model=User, status_code=201)
    async def add(body: UserBody) -> Response:
        """Let a person sign in from now on. From the first one on, every address wants a key or a session."""
        return answer(await users.add(body.name, body.password, frozenset(body.scopes)), 201)

    @routes.patch("/{name}", operation_id="edit_user", response_model=User)
    async def edit(name: Name, body: UserChanges) -> Response:
        """Change a person. A new password, and being disabled, sign them out everywhere."""
        scopes = frozenset(body.scopes) if body.scopes is not None else None
        return answer(await users.edit(name, password=body.password, scopes=scopes, disabled=body.disabled))

    @routes.delete("/{name}", operation_id="remove_user", response_model=User)
    async def remove(name: Name) -> Response:
        """Forget a person, and sign them out; the answer is who it was."""
        return answer(await users.remove(name))

    return routes
