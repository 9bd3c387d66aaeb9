"""`/` and the dashboard's pages: a line for programs, which probe it, and the dashboard for people."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from paddock.errors import NotFound
from paddock.server.pages import ASSETS, PAGES, is_page
from paddock.server.rooms import ServerRooms

LINE: Final = "Paddock is running"
_IMMUTABLE: Final = {"cache-control": "public, max-age=31536000, immutable"}  # a name holds its content's hash


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(tags=["health"])

    async def page(request: Request) -> Response:
        if is_page(request.url.path, request.headers):
            told = rooms.pages.page()
            return HTMLResponse(told.text, headers=told.headers)
        if request.url.path == "/":
            return PlainTextResponse(LINE, headers={"vary": "accept"})
        raise NotFound("There is nothing here for programs.", hint="`/openapi.json` has every address.")

    async def asset(name: str) -> Response:
        found = rooms.pages.asset(name)
        if found is None:
            raise NotFound("The dashboard has no such file.", hint="Load its page again: it was built anew.")
        content, media_type = found
        return Response(content, media_type=media_type, headers=_IMMUTABLE)

    for path in ("/", *PAGES, *(f"{page}/{{rest:path}}" for page in PAGES)):
        routes.add_api_route(
            path, page, methods=["GET", "HEAD"], response_class=Response, include_in_schema=False, name="page"
        )
    routes.add_api_route(
        f"{ASSETS}{{name}}", asset, methods=["GET", "HEAD"], response_class=Response, include_in_schema=False
    )
    return routes
