"""`/admin/*`: everything that the command line can do from afar. One file per noun; failures are problem documents."""

from fastapi import APIRouter

from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin import (
    about,
    airgap,
    audit,
    chats,
    config,
    keys,
    library,
    logs,
    models,
    notes,
    profiles,
    pulls,
    requests,
    routing,
    session,
    users,
)


def router(rooms: ServerRooms) -> APIRouter:
    """The whole admin API."""
    routes = APIRouter(prefix="/admin", tags=["admin"])
    for room in (
        models,
        library,
        pulls,
        chats,
        notes,
        routing,
        profiles,
        config,
        session,
        users,
        keys,
        audit,
        airgap,
        requests,
        logs,
        about,
    ):
        routes.include_router(room.router(rooms))
    return routes
