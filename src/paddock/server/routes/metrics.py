"""`/metrics`, as Prometheus reads it."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from paddock.server.rooms import ServerRooms


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(tags=["health"])

    @routes.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Counters and histograms in Prometheus' text form."""
        return Response(rooms.metrics.render(), media_type=CONTENT_TYPE_LATEST)

    return routes
