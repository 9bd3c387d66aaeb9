"""The library of a running server, with the interface of one's own."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any

from paddock.catalog.compare import Comparison
from paddock.client.connection import Connection, at, error_from
from paddock.errors import InUse, NetworkError, NotEnoughDisk
from paddock.library.cleaning import Pruned
from paddock.library.details import ModelDetails
from paddock.library.library import Confirm
from paddock.library.prune import PrunePlan, UsageReport
from paddock.library.pulling.jobs import PullJob
from paddock.library.pulling.plan import Plan, PullOptions
from paddock.library.records import ModelRecord
from paddock.library.removal import Removed
from paddock.library.searching import SearchHit
from paddock.library.verification import FileCheck, Verification
from paddock.server.documents import decode
from paddock.server.routes.admin.shapes import (
    CheckedFile,
    ModelList,
    ProblemEvent,
    PullList,
    PullStarted,
    SearchHits,
    StatusAnswer,
    Verifications,
)
from paddock.store.space import DiskOutcome
from paddock.vocabulary import ModelInfo, ModelStatus, ProgressEvent, PullStatus, SourceKind

_LIBRARY = "/admin/library"
_PULLS = "/admin/pulls"


class RemoteLibrary:
    """Implements ModelLibrary. Every failure is the PaddockError that it was at the server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stale = False
        self.pulls = RemotePulls(connection)
        self.cleaning = RemoteCleanUp(connection)
        self.notices: Sequence[str] = ()  # the server's log has its own

    # What is here

    async def list(self, *, refresh: bool = False) -> Sequence[ModelInfo]:
        refresh = refresh or self._stale
        self._stale = False
        return (await self._connection.get(f"{_LIBRARY}/models", ModelList, refresh=refresh)).models

    async def show(self, name: str) -> ModelDetails:
        return await self._get(at(f"{_LIBRARY}/show", name), ModelDetails)

    async def status(self, name: str) -> ModelStatus:
        return (await self._get(at(f"{_LIBRARY}/status", name), StatusAnswer)).status

    async def get(self, name: str) -> ModelRecord:
        return await self._get(at(f"{_LIBRARY}/models", name), ModelRecord)

    async def search(self, query: str, *, limit: int = 20, source: SourceKind | None = None) -> Sequence[SearchHit]:
        told = source.value if source else None
        return (await self._get(f"{_LIBRARY}/search", SearchHits, query=query, limit=limit, source=told)).hits

    async def compare(self, names: Sequence[str]) -> Comparison:
        return await self._get(f"{_LIBRARY}/compare", Comparison, name=[*names])

    async def _get(self, path: str, kind: type[Any], **query: Any) -> Any:
        if self._stale:
            await self.list()
        return await self._connection.get(path, kind, **query)

    def clear_cache(self) -> None:
        """The next question makes the server look again."""
        self._stale = True

    # Fetching

    async def plan(self, reference: str, options: PullOptions | None = None) -> Plan:
        return await self._connection.post(f"{_LIBRARY}/plan", Plan, _pull_body(reference, options))

    async def pull(
        self,
        reference: str,
        options: PullOptions | None = None,
        *,
        on_progress: Callable[[ProgressEvent], None] | None = None,
        confirm: Confirm | None = None,
    ) -> ModelInfo:
        """As `Library.pull`: the server moves the bytes; cancelling the wait pauses it there."""
        started = await self._start(reference, options, confirm)
        if started.pull is None:
            assert started.model is not None, "one or the other"
            return started.model
        try:
            return await self._follow(started.pull, on_progress)
        except asyncio.CancelledError:
            await asyncio.shield(self.pulls.pause(started.pull.id))
            raise

    async def _start(self, reference: str, options: PullOptions | None, confirm: Confirm | None) -> PullStarted:
        body = _pull_body(reference, options)
        try:
            return await self._connection.post(_PULLS, PullStarted, body)
        except NotEnoughDisk:
            plan = await self.plan(reference, options) if confirm is not None else None
            if plan is None or confirm is None or plan.disk.outcome is not DiskOutcome.TIGHT or not await confirm(plan):
                raise
        return await self._connection.post(_PULLS, PullStarted, {**body, "accept_tight_disk": True})

    async def _follow(self, job: PullJob, on_progress: Callable[[ProgressEvent], None] | None) -> ModelInfo:
        async with self._connection.stream("GET", at(f"{_PULLS}/events", job.id)) as (_, events):
            async for event in events:
                if event.name == "progress" and on_progress is not None:
                    on_progress(decode(event.data, ProgressEvent))
        job = await self.pulls.get(job.id)
        if job.status is PullStatus.COMPLETE:
            return (await self.get(job.name)).info()
        if job.status is PullStatus.ERROR:
            raise error_from(job.error_code, job.error, f"Go on with `paddock pull {job.name}`.")
        raise InUse(
            f"The pull of `{job.name}` was {job.status.value} by somebody else.",
            hint=f"Go on with `paddock pull {job.name}`.",
        )

    # Changing

    async def remove(self, name: str, *, adopted: bool = False, dry_run: bool = False) -> Removed:
        return await self._connection.delete(at(f"{_LIBRARY}/models", name), Removed, adopted=adopted, dry_run=dry_run)

    async def copy(self, source: str, alias: str) -> None:
        await self._connection.post(f"{_LIBRARY}/copy", ModelInfo, {"source": source, "alias": alias})

    async def pin(self, name: str, *, pinned: bool) -> ModelInfo:
        return await self._connection.post(at(f"{_LIBRARY}/keep", name), ModelInfo, {"pinned": pinned})

    async def set_keep_alive(self, name: str, keep_alive: str | None) -> ModelInfo:
        body = {"keep_alive": "default" if keep_alive is None else keep_alive}
        return await self._connection.post(at(f"{_LIBRARY}/keep", name), ModelInfo, body)

    async def verify(
        self,
        names: Sequence[str] = (),
        *,
        repair: bool = False,
        on_file: Callable[[str, FileCheck], None] | None = None,
    ) -> Sequence[Verification]:
        body = {"names": [*names], "repair": repair}
        async with self._connection.stream("POST", f"{_LIBRARY}/verify", body) as (_, events):
            async for event in events:
                if event.name == "file" and on_file is not None:
                    checked = decode(event.data, CheckedFile)
                    on_file(checked.model, checked.check)
                elif event.name == "result":
                    return decode(event.data, Verifications).models
                elif event.name == "problem":
                    problem = decode(event.data, ProblemEvent)
                    raise error_from(problem.code, problem.detail, problem.hint)
        raise NetworkError("The server broke off a verification.", hint="See whether it still runs, then try again.")


class RemotePulls:
    """Implements PullQueue."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list(self, *, unfinished: bool = False) -> Sequence[PullJob]:
        return (await self._connection.get(_PULLS, PullList, all=not unfinished)).pulls

    async def get(self, job_id: str) -> PullJob:
        return await self._connection.get(at(_PULLS, job_id), PullJob)

    async def pause(self, job_id: str) -> PullJob:
        return await self._connection.post(at(f"{_PULLS}/pause", job_id), PullJob)

    async def resume(self, job_id: str) -> PullJob:
        return await self._connection.post(at(f"{_PULLS}/resume", job_id), PullJob)

    async def cancel(self, job_id: str) -> PullJob:
        return await self._connection.post(at(f"{_PULLS}/cancel", job_id), PullJob)


class RemoteCleanUp:
    """Implements CleanUp."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def usage(self) -> UsageReport:
        return await self._connection.get(f"{_LIBRARY}/usage", UsageReport)

    async def plan(self, *, older_than_days: float | None = None, max_bytes: int | None = None) -> PrunePlan:
        limits = {"older_than_days": older_than_days, "max_bytes": max_bytes}
        return await self._connection.post(f"{_LIBRARY}/prune/plan", PrunePlan, limits)

    async def prune(self, plan: PrunePlan, remove: Callable[[str], Awaitable[int]]) -> Pruned:
        """`remove` has nothing to do: the server removes what the plan names, as far as it still may go."""
        agreed = {"models": [one.name for one in plan.removals], "leftovers": [str(one.path) for one in plan.leftovers]}
        return await self._connection.post(f"{_LIBRARY}/prune", Pruned, agreed)


def _pull_body(reference: str, options: PullOptions | None) -> dict[str, Any]:
    return {"reference": reference, **asdict(options or PullOptions())}
