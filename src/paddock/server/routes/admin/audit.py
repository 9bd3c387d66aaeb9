"""`/admin/audit`: who asks what of whom, now and before."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime
from starlette.responses import Response, StreamingResponse

from paddock.audit.filters import AuditFilter
from paddock.audit.ledger import PAGE_MAX, AuditCheck, AuditPage
from paddock.audit.record import AuditRow
from paddock.audit.summary import AuditNames, AuditSummary, By
from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, answer
from paddock.server.running import RunningRequest

_KINDS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
_SEQ_MAX = (1 << 63) - 1

Text = Annotated[str | None, Query(max_length=512)]
Time = Annotated[AwareDatetime | None, Query()]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLive:
    """What is being asked now, and where rows have come to: whoever watches looks again once that has changed."""

    head_seq: int  # the last row that was written
    kept: bool  # whether rows are written at all
    requests: tuple[RunningRequest, ...]  # of this server, the oldest first


async def _filter(
    since: Time = None,
    until: Time = None,
    caller: Text = None,
    model: Text = None,
    provider: Text = None,
    route: Annotated[str | None, Query(max_length=512, description="A route, or the name of a rule.")] = None,
    status: Annotated[int | None, Query(ge=100, le=599)] = None,
    failed: bool = False,
) -> AuditFilter:
    return AuditFilter(
        since=since,
        until=until,
        caller=caller,
        model=model,
        provider=provider,
        route=route,
        status=status,
        failed=failed,
    )


Wanted = Annotated[AuditFilter, Depends(_filter)]


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/audit", responses=FAILURES)
    ledger, summaries = rooms.ledger, rooms.summaries

    @routes.get("", operation_id="list_audit", response_model=AuditPage)
    async def list_rows(
        wanted: Wanted,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
        before: Annotated[int | None, Query(ge=0, le=_SEQ_MAX, description="The `next` of the page before.")] = None,
    ) -> Response:
        """Requests, the latest first. The last half second may not be there yet."""
        return answer(await ledger.list(wanted, limit=limit, before=before))

    @routes.get("/summary", operation_id="sum_up_audit", response_model=AuditSummary)
    async def summary(wanted: Wanted, by: By = "model") -> Response:
        """What the rows that fit come to: over time, and by who answered or asked."""
        return answer(await summaries.of(wanted, by=by))

    @routes.get("/names", operation_id="list_audit_names", response_model=AuditNames)
    async def names(since: Time = None, until: Time = None) -> Response:
        """What rows can be filtered by."""
        return answer(await summaries.names(AuditFilter(since=since, until=until)))

    @routes.get("/live", operation_id="watch_audit", response_model=AuditLive)
    async def live() -> Response:
        """What this server is being asked now, and the number of the last row."""
        kept = rooms.in_force.config.audit.keep
        return answer(AuditLive(head_seq=await ledger.head(), kept=kept, requests=tuple(rooms.running.list())))

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
        wanted: Wanted,
        format: Literal["csv", "jsonl"] = "jsonl",  # noqa: A002 (what it is called)
    ) -> Response:
        """All rows that fit, to be kept elsewhere."""
        return StreamingResponse(ledger.export(wanted, format), media_type=_KINDS[format])

    @routes.get("/{seq}", operation_id="get_audit_row", response_model=AuditRow)
    async def get(seq: Annotated[int, Path(ge=1, le=_SEQ_MAX)]) -> Response:
        """One request as it was written down."""
        return answer(await ledger.get(seq))

    return routes
