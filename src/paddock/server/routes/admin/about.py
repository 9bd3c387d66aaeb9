"""`/admin/about`: what runs here. `/admin/health`: how it is, and what to mend."""

import asyncio
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from paddock.library.checkup import Finding, Outcome
from paddock.server.about import About, about
from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """`ok` is false when something must be mended."""

    ok: bool
    findings: tuple[Finding, ...]


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(responses=FAILURES)

    @routes.get("/about", operation_id="about", response_model=About)
    async def tell() -> Response:
        """Versions, places on this machine, and the packages that this server is made of."""
        machine = await asyncio.to_thread(rooms.machine)
        return answer(await asyncio.to_thread(about, rooms.in_force.config, machine, version=rooms.version))

    @routes.get("/health", operation_id="check_up", response_model=Checkup)
    async def health() -> Response:
        """What `paddock doctor` finds, with a remedy for what is not well. Asks the hub, so it may take a few seconds."""
        findings = tuple(await rooms.examine())
        return answer(Checkup(ok=all(one.outcome is not Outcome.PROBLEM for one in findings), findings=findings))

    return routes
