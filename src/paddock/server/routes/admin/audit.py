"""`/admin/audit`: who asked what of whom."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from starlette.responses import Response, StreamingResponse

from paddock.audit.ledger import PAGE_MAX, AuditCheck, AuditFilter, AuditPage
from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, answer

_KINDS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}

Text = Annotated[str | None, Query(max_length=512)]
Time = Annotated[AwareDatetime | None, Query()]


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/audit", responses=FAILURES)
    ledger = rooms.ledger

    @routes.get("", operation_id="list_audit", response_model=AuditPage)
    async def list_rows(
        since: Time = None,
        until: Time = None,
        caller: Text = None,
        model: Text = None,
        provider: Text = None,
        status: Annotated[int | None, Query(ge=100, le=599)] = None,
        failed: bool = False,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
        before: Annotated[int | None, Query(ge=0, description="The `next` of the page before.")] = None,
    ) -> Response:
        """Requests, the latest first. The last half second may not be there yet."""
        wanted = AuditFilter(
            since=since, until=until, caller=caller, model=model, provider=provider, status=status, failed=failed
        )
        return answer(await ledger.list(wanted, limit=limit, before=before))

    @routes.get("/verify", operation_id="verify_audit", response_model=AuditCheck)
    async def verify(
        seq: Annotated[int | None, Query(ge=1, description="A row whose hash was noted earlier.")] = None,
        hash: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None,  # noqa: A002 (what it is called)
    ) -> Response:
        """Check every row against the one before it: whether any was altered, taken away, or moved."""
        expected = (seq, hash) if seq is not None and hash is not None else None
        return answer(await ledger.verify(expected=expected))

    @routes.get(
        "/export",
        operation_id="export_audit",
        response_class=Response,
        responses={
            200: {"description": "Rows as lines, the oldest first.", "content": {kind: {} for kind in _KINDS.values()}}
        },
    )
    async def export(
        format: Literal["csv", "jsonl"] = "jsonl",  # noqa: A002 (what it is called)
        since: Time = None,
        until: Time = None,
    ) -> Response:
        """All rows, to be kept elsewhere."""
        rows = ledger.export(AuditFilter(since=since, until=until), format)
        return StreamingResponse(rows, media_type=_KINDS[format])

    return routes
