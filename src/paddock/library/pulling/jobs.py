"""Pull jobs as rows: what was asked for, how far it is, who moves its bytes. They outlive the process that runs them."""

import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import psutil
from sqlalchemy import Select, delete, select, update

from paddock.db.engine import Database
from paddock.db.tables import PullRow
from paddock.library.pulling.plan import PlannedFile, PullOptions
from paddock.vocabulary import PullStatus

_log = logging.getLogger(__name__)

# These hold a reservation on the disk while their owner lives.
RUNNING = (PullStatus.QUEUED, PullStatus.DOWNLOADING, PullStatus.VERIFYING)
FINISHED = (PullStatus.COMPLETE, PullStatus.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullJob:
    """One pull, as `paddock pulls` and the API show it."""

    id: str
    name: str
    reference: str
    revision: str | None
    status: PullStatus
    files: tuple[PlannedFile, ...]
    options: PullOptions
    total_bytes: int
    downloaded_bytes: int
    download_speed: float
    volume: str
    owner: str | None
    wish: str | None
    error_code: str | None
    error: str | None
    attempts: int
    created_at: datetime
    updated_at: datetime

    @property
    def remaining_bytes(self) -> int:
        return max(0, self.total_bytes - self.downloaded_bytes)


class Jobs:
    """The pull jobs in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self, statuses: Sequence[PullStatus] | None = None) -> list[PullJob]:
        """Oldest first; only those in `statuses` when given. Rows that cannot be read are left out."""
        query = select(PullRow).order_by(PullRow.created_at, PullRow.id)
        if statuses is not None:
            query = query.where(PullRow.status.in_([status.value for status in statuses]))
        return await self._read(query)

    async def get(self, job_id: str) -> PullJob | None:
        return next(iter(await self._read(select(PullRow).where(PullRow.id == job_id))), None)

    async def unfinished(self, name: str) -> PullJob | None:
        """The newest job for this model that is neither complete nor cancelled."""
        query = (
            select(PullRow)
            .where(PullRow.name == name, PullRow.status.not_in([status.value for status in FINISHED]))
            .order_by(PullRow.created_at.desc())
        )
        return next(iter(await self._read(query)), None)

    async def _read(self, query: Select[PullRow]) -> list[PullJob]:
        """The jobs that `query` finds. A row that somebody damaged costs that job, not the others."""
        try:
            async with self._database.session() as session:
                rows = (await session.scalars(query)).all()
        except ValueError:  # a column that is no JSON spoils the whole answer
            rows = await self._one_by_one(query)
        return [job for row in rows if (job := _readable(row)) is not None]

    async def _one_by_one(self, query: Select[PullRow]) -> list[PullRow]:
        async with self._database.session() as session:
            job_ids = (await session.scalars(query.with_only_columns(PullRow.id))).all()
        rows: list[PullRow] = []
        for job_id in job_ids:
            try:
                async with self._database.session() as session:
                    row = await session.get(PullRow, job_id)
            except ValueError:
                _log.warning("pull.row_unreadable id=%s", job_id)
                continue
            if row is not None:
                rows.append(row)
        return rows

    async def save(self, job: PullJob) -> None:
        async with self._database.session() as session:
            await session.merge(_to_row(job))

    async def progress(self, job_id: str, *, downloaded_bytes: int, speed: float, now: datetime) -> str | None:
        """Record how far it is; returns the wish that another process left, if any."""
        async with self._database.session() as session:
            await session.execute(
                update(PullRow)
                .where(PullRow.id == job_id)
                .values(downloaded_bytes=downloaded_bytes, speed=speed, updated_at=now)
            )
            return await session.scalar(select(PullRow.wish).where(PullRow.id == job_id))

    async def set_status(self, job: PullJob) -> None:
        """Record the status and how far it is. A wish that came meanwhile stays."""
        async with self._database.session() as session:
            await session.execute(
                update(PullRow)
                .where(PullRow.id == job.id)
                .values(status=job.status.value, downloaded_bytes=job.downloaded_bytes, updated_at=job.updated_at)
            )

    async def wish(self, job_id: str, wish: str) -> None:
        async with self._database.session() as session:
            await session.execute(update(PullRow).where(PullRow.id == job_id).values(wish=wish))

    async def forget(self, *job_ids: str) -> None:
        async with self._database.session() as session:
            await session.execute(delete(PullRow).where(PullRow.id.in_(job_ids)))

    async def reserved_bytes(self, volume: str, *, except_id: str | None) -> int:
        """What the running pulls of living processes still need on this disk."""
        running = await self.all(RUNNING)
        return sum(
            job.remaining_bytes
            for job in running
            if job.volume == volume and job.id != except_id and is_alive(job.owner)
        )


def this_process() -> str:
    """Names this process so that another can tell whether it still lives: process ids are used again."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{psutil.Process(pid).create_time():.2f}"


def is_alive(owner: str | None) -> bool:
    """Whether the process that `this_process` named still runs. Processes of other machines count as alive."""
    if owner is None:
        return False
    host, _, rest = owner.partition(":")
    pid, _, started = rest.partition(":")
    if host != socket.gethostname():
        return True
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" == started
    except (psutil.Error, ValueError):
        return False


def _readable(row: PullRow) -> PullJob | None:
    try:
        return _from_row(row)
    except (ValueError, TypeError, msgspec.ValidationError):
        _log.warning("pull.row_unreadable id=%s", row.id)
        return None


def _from_row(row: PullRow) -> PullJob:
    return PullJob(
        id=row.id,
        name=row.name,
        reference=row.reference,
        revision=row.revision,
        status=PullStatus(row.status),
        files=msgspec.convert(row.files, tuple[PlannedFile, ...]),
        options=msgspec.convert(row.options, PullOptions),
        total_bytes=row.total_bytes,
        downloaded_bytes=row.downloaded_bytes,
        download_speed=row.speed,
        volume=row.volume,
        owner=row.owner,
        wish=row.wish,
        error_code=row.error_code,
        error=row.error,
        attempts=row.attempts,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _to_row(job: PullJob) -> PullRow:
    return PullRow(
        id=job.id,
        name=job.name,
        reference=job.reference,
        revision=job.revision,
        status=job.status.value,
        files=[msgspec.to_builtins(file) for file in job.files],
        options=msgspec.to_builtins(job.options),
        total_bytes=job.total_bytes,
        downloaded_bytes=job.downloaded_bytes,
        speed=job.download_speed,
        volume=job.volume,
        owner=job.owner,
        wish=job.wish,
        error_code=job.error_code,
        error=job.error,
        attempts=job.attempts,
        created_at=job.created_at,
        updated_at=job.updated_at,
    )
