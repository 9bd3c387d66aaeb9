"""`/admin/session`: signing in with a browser, out again, and who one is."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import Field, SecretStr
from starlette.responses import Response

from paddock.config.kinds import is_loopback
from paddock.security.callers import Scope
from paddock.security.passwords import CHARACTERS_MAX
from paddock.security.users import page_token
from paddock.server.asking import asking_of
from paddock.server.credentials import cookie_header, cookie_in
from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, Body, answer


class SignInBody(Body):
    name: str = Field(min_length=1, max_length=64)
    password: SecretStr = Field(min_length=1, max_length=CHARACTERS_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who asks, and what they may."""

    id: str  # empty where nobody needs a key
    name: str
    scopes: tuple[Scope, ...]
    models: tuple[str, ...]  # patterns; none is every model
    wants_key: bool  # whether others would be turned away
    page_token: str | None = None  # of a browser: shown with every request that changes something
    expires_at: datetime | None = None  # of a browser that has just signed in


@dataclass(frozen=True, slots=True, kw_only=True)
class WaysIn:
    """What a sign-in page has to ask for. A key does always."""

    password: bool  # whether somebody can sign in with a name and a password


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOut:
    signed_out: bool  # whether there was a session to end


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/session", responses=FAILURES)

    @routes.get("", operation_id="get_session", response_model=Session)
    async def who(request: Request) -> Response:
        """Who you are here, and what you may."""
        caller, cookie = asking_of(request).caller, cookie_in(request.headers)
        return answer(
            Session(
                id=caller.id,
                name=caller.name,
                scopes=tuple(sorted(caller.scopes)),
                models=caller.models,
                wants_key=await rooms.gate.wanted(),
                page_token=page_token(cookie) if caller.session is not None and cookie else None,
            )
        )

    @routes.get("/ways", operation_id="ways_in", response_model=WaysIn)
    async def ways() -> Response:
        """How one signs in here. Whoever asks has no key yet, so none is wanted."""
        return answer(WaysIn(password=await rooms.users.any()))

    @routes.post("", operation_id="sign_in", response_model=Session)
    async def sign_in(body: SignInBody, request: Request) -> Response:
        """Sign a browser in. The cookie is out of reach of scripts; `page_token` goes with what changes something."""
        address = request.client.host if request.client else ""
        signed = await rooms.users.sign_in(body.name, body.password, address=address)
        session = Session(
            id=f"user:{signed.user.id}",
            name=signed.user.name,
            scopes=signed.user.scopes,
            models=(),
            wants_key=True,
            page_token=page_token(signed.token),
            expires_at=signed.expires_at,
        )
        response = answer(session)
        seconds = int(rooms.config.accounts.session.total_seconds())
        response.headers["set-cookie"] = cookie_header(signed.token, seconds=seconds, secure=_is_far(request))
        response.headers["cache-control"] = "no-store"
        return response

    @routes.delete("", operation_id="sign_out", response_model=SignedOut)
    async def sign_out(request: Request) -> Response:
        """End the session of this browser."""
        session = asking_of(request).caller.session
        if session is not None:
            await rooms.users.sign_out(session)
        response = answer(SignedOut(signed_out=session is not None))
        response.headers["set-cookie"] = cookie_header("", seconds=0, secure=_is_far(request))
        return response

    return routes


def _is_far(request: Request) -> bool:
    """Called by another name than this machine's own, or over TLS, browsers must not send the cookie in clear.

    A proxy in front says that it speaks TLS. Whoever says so without one only keeps the cookie from their own browser.
    """
    told = request.headers.get("x-forwarded-proto", request.url.scheme)
    return not is_loopback(request.url.hostname or "") or told == "https"
