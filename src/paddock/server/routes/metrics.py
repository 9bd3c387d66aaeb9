"""`/metrics`, as Prometheus reads it."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from paddock.server.rooms import ServerRooms
from paddock.server.seeing import Seeing


def router(rooms: ServerRooms) -> APIRouter:
    """One page."""
    routes = APIRouter(tags=["health"])
    seeing = Seeing(rooms.pool, rooms.clock)

    @routes.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "All figures."}},
    )
    async def metrics() -> Response:
        """Counters, gauges and histograms in Prometheus' text form."""
        return Response(rooms.metrics.render(await seeing.models()), media_type=CONTENT_TYPE_LATEST)

    return routes
