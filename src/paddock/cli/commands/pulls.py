"""`paddock pulls`: downloads that run, wait or ended, and what can be done with one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter

from paddock.cli.application import noun
from paddock.cli.commands.pull import pull
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import ChangingFlags, Flags
from paddock.cli.screen import Screen
from paddock.cli.tables import Column, show_table
from paddock.cli.words import ago, bytes_of
from paddock.library.pulling.jobs import PullJob
from paddock.units import human_bytes
from paddock.vocabulary import PullStatus

_NO_FLAGS = Flags()
_NO_CHANGE = ChangingFlags()

Job = Annotated[str, Parameter(help="The model's name, or the id that `paddock pulls` shows.")]

pulls = noun("pulls", "List downloads; pause, resume or cancel them.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullLine:
    """One download."""

    id: str
    name: str
    reference: str
    status: PullStatus
    downloaded_bytes: int
    total_bytes: int
    download_speed: float
    error: str | None
    attempts: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PullList:
    pulls: tuple[PullLine, ...]


@pulls.default
@pulls.command(name="list")
async def list_pulls(
    *,
    all: Annotated[bool, Parameter(help="Also those that are complete or cancelled.")] = False,  # noqa: A002 (its name on the command line)
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """List downloads; pause, resume or cancel them."""
    async with desk.library() as library:
        jobs = await library.pulls.list(unfinished=not all)
    desk.answer(PullList(pulls=tuple(_line(job) for job in jobs)), lambda screen: _show(screen, desk, jobs))


@pulls.command
async def pause(job: Job, /, *, flags: ChangingFlags = _NO_CHANGE, desk: Given[Desk]) -> None:
    """Stop a download and keep what is here of it."""
    async with desk.library() as library:
        found = await library.pulls.get(job)
        if not flags.dry_run:
            found = await library.pulls.pause(found.id)
    desk.answer(_line(found), lambda screen: screen.line(_after("pauses" if _runs(found) else "is paused", found)))


@pulls.command
async def resume(job: Job, /, *, flags: ChangingFlags = _NO_CHANGE, desk: Given[Desk]) -> None:
    """Go on with a download that was paused, failed or interrupted."""
    async with desk.library() as library:
        found = await library.pulls.get(job)
    options = found.options
    await pull(
        found.reference,
        name=options.name,
        pin=options.pin,
        skip_check=options.skip_check,
        force=options.force,
        flags=flags,
        desk=desk,
    )


@pulls.command
async def cancel(job: Job, /, *, flags: ChangingFlags = _NO_CHANGE, desk: Given[Desk]) -> None:
    """Stop a download and delete what is here of it."""
    async with desk.library() as library:
        found = await library.pulls.get(job)
        if not flags.dry_run:
            part = human_bytes(found.downloaded_bytes)
            if found.downloaded_bytes and not await desk.confirm(f"Delete the {part} of `{found.name}` that are here?"):
                desk.notice("Nothing was deleted.")
                return
            found = await library.pulls.cancel(found.id)
    desk.answer(_line(found), lambda screen: screen.line(_after("stops" if _runs(found) else "is cancelled", found)))


def _runs(job: PullJob) -> bool:
    """True when another process moves its bytes: it heeds a wish within two seconds."""
    return job.status in (PullStatus.QUEUED, PullStatus.DOWNLOADING, PullStatus.VERIFYING)


def _after(what: str, job: PullJob) -> str:
    return f"{job.name} {what} at {bytes_of(job.downloaded_bytes, job.total_bytes)}."


def _line(job: PullJob) -> PullLine:
    return PullLine(
        id=job.id,
        name=job.name,
        reference=job.reference,
        status=job.status,
        downloaded_bytes=job.downloaded_bytes,
        total_bytes=job.total_bytes,
        download_speed=job.download_speed,
        error=job.error,
        attempts=job.attempts,
        created_at=job.created_at,
        updated_at=job.updated_at,
    )


_COLUMNS = (
    Column(title="name"),
    Column(title="status"),
    Column(title="done", right=True),
    Column(title="fetched", right=True, rank=2),
    Column(title="changed", rank=3),
    Column(title="id", rank=1),
)


def _show(screen: Screen, desk: Desk, jobs: Sequence[PullJob]) -> None:
    if not jobs:
        screen.line("No downloads under way.")
        return
    now = desk.invocation.now()
    rows = [
        (
            job.name,
            job.status.value,
            f"{100 * job.downloaded_bytes / job.total_bytes:.0f} %" if job.total_bytes else "",
            bytes_of(job.downloaded_bytes, job.total_bytes),
            ago(job.updated_at, now),
            job.id,
        )
        for job in jobs
    ]
    show_table(screen, _COLUMNS, rows)
