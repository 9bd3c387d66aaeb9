"""A shorter way to the addresses that are asked most.

Between an application of FastAPI and one of its functions lie six layers, for dependencies, models of bodies and failures.
These functions have no use for them: each takes the request alone, reads it itself and gives a response. The layers' code
would stand between a request and its first token, and a busy model leaves little of it in the processor's caches.
"""

import inspect
from typing import Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

PATHS: Final = frozenset(
    {"/v1/chat/completions", "/v1/completions", "/v1/messages", "/v1/responses", "/api/chat", "/api/generate"}
)


class Direct:
    """An ASGI application around a FastAPI one. What it does not know goes there."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._routes = {
            route.path: route
            for route in app.routes
            if isinstance(route, APIRoute) and route.path in PATHS and "POST" in (route.methods or ())
        }
        assert self._routes.keys() == PATHS, f"there is no {PATHS - self._routes.keys()}"
        for route in self._routes.values():
            assert list(inspect.signature(route.endpoint).parameters) == ["request"], f"{route.path} wants more"
            assert not route.dependencies, f"{route.path} depends on something"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get(scope["path"]) if scope["method"] == "POST" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route  # by its pattern the request is counted and written down
        response = await route.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)
