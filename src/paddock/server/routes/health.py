"""`/healthz`: the process lives. `/readyz`: it takes work."""

from fastapi import APIRouter
from starlette.responses import JSONResponse

from paddock.server.rooms import ServerRooms


def router(rooms: ServerRooms) -> APIRouter:
    """Both want no key."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz")
    async def healthz() -> JSONResponse:
        """Answers as long as the process does."""
        return JSONResponse({"status": "ok"})

    @routes.get("/readyz")
    async def readyz() -> JSONResponse:
        """503 while the server ends."""
        draining = rooms.life.draining
        return JSONResponse({"status": "draining" if draining else "ready"}, status_code=503 if draining else 200)

    return routes
