"""`/`: a line for programs, which probe it, and a short page for people."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from paddock.server.rooms import ServerRooms

LINE: Final = "Paddock is running"
_PAGE: Final = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>Paddock</title>
<h1>Paddock is running</h1>
<p>OpenAI's clients take this address with <code>/v1</code> added. Here are its
<a href="/v1/models">models</a>, <a href="/readyz">state</a>, <a href="/metrics">metrics</a>
and the <a href="/openapi.json">description of every endpoint</a>.</p></html>
"""
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "referrer-policy": "no-referrer",
    "vary": "accept",
}


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(tags=["health"])

    @routes.api_route("/", methods=["GET", "HEAD"], response_class=Response, include_in_schema=False)
    async def root(request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(_PAGE, headers=_HEADERS)
        return PlainTextResponse(LINE)

    return routes
