"""The application: every router, behind one edge."""

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from paddock.server import failures
from paddock.server.bodies import Limit
from paddock.server.description import describe
from paddock.server.direct import Direct
from paddock.server.edge import Edge
from paddock.server.rooms import ServerRooms
from paddock.server.routes import (
    admin,
    anthropic,
    embeddings,
    health,
    metrics,
    ollama,
    ollama_embed,
    openai,
    responses,
    root,
)

# Each module of `routes` makes one router from what it is handed. What is asked for most comes first: an address is looked
# for in one after the other.
ROUTERS: Final[tuple[Callable[[ServerRooms], APIRouter], ...]] = (
    openai.router,
    embeddings.router,
    responses.router,
    anthropic.router,
    ollama.router,
    ollama_embed.router,
    admin.router,
    health.router,
    metrics.router,
    root.router,
)


def make_app(rooms: ServerRooms) -> ASGIApp:
    """The whole server as one ASGI application."""
    return Edge(
        Direct(make_routes(rooms)),
        settings=rooms.config.server,
        picture_bodies=Limit(rooms.config.images.body_bytes_max, "images.body_bytes_max"),
        gate=rooms.gate,
        recorder=rooms.recorder,
        running=rooms.running,
        timelines=rooms.timelines,
        now=rooms.now,
        life=rooms.life,
        metrics=rooms.metrics,
        clock=rooms.clock,
    )


def make_routes(rooms: ServerRooms) -> FastAPI:
    """What is behind the edge. Interactive documentation would load scripts from elsewhere, so there is none."""
    app = FastAPI(title="Paddock", version=rooms.version, docs_url=None, redoc_url=None, redirect_slashes=False)
    failures.install(app)
    for router in ROUTERS:
        # As `include_router` does, which would make every route a second time: a tenth of the start.
        app.router.routes.extend(router(rooms).routes)
    describe(app)
    return app
