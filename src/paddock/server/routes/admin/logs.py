"""`/admin/logs`: the latest lines of the server's log."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, STREAM, answer, event, stream
from paddock.server.routes.admin.shapes import LogLines

_LOOK_S: Final = 0.5
_ALL: Final = 1_000_000

Lines = Annotated[int, Query(ge=1, le=100_000, description="How many of the latest at most.")]


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/logs", responses=FAILURES)

    @routes.get("", operation_id="log_lines", response_model=LogLines)
    async def latest(lines: Lines = 100) -> Response:
        """The latest lines that are still in memory, oldest first."""
        return answer(LogLines(lines=tuple(rooms.log_tail.latest(lines))))

    @routes.get("/events", operation_id="follow_log", responses=STREAM, response_class=Response)
    async def follow(lines: Lines = 100) -> Response:
        """The same as events `line`, then each new one as it comes, until the client leaves."""
        return stream(_following(rooms, lines))

    return routes


async def _following(rooms: ServerRooms, lines: int) -> AsyncGenerator[bytes]:
    latest = rooms.log_tail.latest(lines)
    last = latest[-1] if latest else None
    while not rooms.life.draining:
        for line in latest:
            last = line
            yield event("line", line)
        await asyncio.sleep(_LOOK_S)
        every = rooms.log_tail.latest(_ALL)
        known = next((index for index in range(len(every) - 1, -1, -1) if every[index] is last), -1)
        latest = every[known + 1 :]  # all of them when the last one has left the ring meanwhile
