"""The application: every router, behind one edge."""

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from paddock.server.rooms import ServerRooms
from paddock.server.routes import health, metrics, root

# Each module of `routes` makes one router from what it is handed.
ROUTERS: Final[tuple[Callable[[ServerRooms], APIRouter], ...]] = (health.router, metrics.router, root.router)


def make_app(rooms: ServerRooms) -> ASGIApp:
    """The whole server as one ASGI application."""
    app = FastAPI(title="Paddock", version=rooms.version, docs_url=None, redoc_url=None)
    for router in ROUTERS:
        app.include_router(router(rooms))
    return app
