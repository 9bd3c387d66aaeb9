"""`/admin/airgap`: whether this server keeps to its machine, and what was turned down."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from paddock.airgap.airgap import refusals_at
from paddock.airgap.refusals import LISTED_MAX
from paddock.airgap.status import AirgapStatus, read_status
from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, answer

Limit = Annotated[int, Query(ge=1, le=LISTED_MAX, description="How many of the latest refusals at most.")]


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/airgap", responses=FAILURES)

    @routes.get("", operation_id="airgap_status", response_model=AirgapStatus)
    async def status(limit: Limit = 100) -> Response:
        """Whether nothing is reached beyond this machine, what holds it to that, and what was turned down, oldest first."""
        refusals = refusals_at(rooms.config.paths.airgap_ledger)
        return answer(await asyncio.to_thread(read_status, refusals, airgap=rooms.config.airgap, count=limit))

    return routes
