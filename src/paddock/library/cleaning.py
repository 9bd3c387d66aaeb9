"""What the disk holds, and what a clean-up would free: rows and disk gathered for the pure choice in prune.py."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from paddock.config.schema import Disk
from paddock.errors import PaddockError
from paddock.library.jobs import FINISHED, Jobs
from paddock.library.prune import (
    Leftover,
    LeftoverKind,
    PrunePlan,
    StoredFile,
    StoredModel,
    UsageReport,
    choose,
    usage,
)
from paddock.library.records import ModelRecord
from paddock.library.shelf import Shelf
from paddock.store.layout import ModelStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What a clean-up did, and what it could not do and why."""

    plan: PrunePlan
    freed_bytes: int
    failures: tuple[str, ...] = ()


class Cleaner:
    def __init__(
        self,
        *,
        shelf: Shelf,
        store: ModelStore,
        jobs: Jobs,
        pinned: Callable[[str], bool],
        users_of: Callable[[str], Sequence[str]],
        now: Callable[[], datetime],
    ) -> None:
        self._shelf = shelf
        self._store = store
        self._jobs = jobs
        self._pinned = pinned
        self._users_of = users_of
        self._now = now

    async def usage(self) -> UsageReport:
        """Bytes by framework and model; what models share is counted once."""
        models = await self._shelf.models()
        return await asyncio.to_thread(lambda: usage(self._stored(models)))

    async def plan(self, *, older_than_days: float | None = None, max_bytes: int | None = None) -> PrunePlan:
        """What a clean-up would remove. With neither limit only leftovers go."""
        models = await self._shelf.models()
        wanted = {part for job in await self._jobs.all() if job.status not in FINISHED for part in (job.name,)}
        return await asyncio.to_thread(self._choose, models, wanted, older_than_days, max_bytes)

    async def prune(self, plan: PrunePlan, remove: Callable[[str], Awaitable[int]]) -> Pruned:
        """Carry out a plan. `remove` deletes one model and returns the bytes freed; one failure does not stop the rest."""
        freed = 0
        failures: list[str] = []
        for removal in plan.removals:
            try:
                freed += await remove(removal.name)
            except PaddockError as error:
                failures.append(error.message)
        for leftover in plan.leftovers:
            try:
                freed += await asyncio.to_thread(self._drop, leftover)
            except OSError as error:
                failures.append(f"{leftover.path} cannot be deleted: {error.strerror}.")
        await asyncio.to_thread(self._store.sweep)
        return Pruned(plan=plan, freed_bytes=freed, failures=tuple(failures))

    async def auto_prune(self, disk: Disk, remove: Callable[[str], Awaitable[int]]) -> Pruned | None:
        """Clean up as the settings say; None when they say no, or there is nothing to do."""
        if not disk.auto_prune:
            return None
        plan = await self.plan(older_than_days=disk.auto_prune_days, max_bytes=disk.auto_prune_max_bytes)
        return None if plan.is_empty else await self.prune(plan, remove)

    def _choose(
        self, models: Mapping[str, ModelRecord], wanted: set[str], days: float | None, max_bytes: int | None
    ) -> PrunePlan:
        older_than = timedelta(days=days) if days is not None else None
        leftovers = () if wanted else self._leftovers()  # an unfinished pull may go on with any of them
        return choose(
            self._stored(models), now=self._now(), older_than=older_than, max_bytes=max_bytes, leftovers=leftovers
        )

    def _stored(self, models: Mapping[str, ModelRecord]) -> list[StoredModel]:
        return [self._stored_model(record) for record in models.values()]

    def _stored_model(self, record: ModelRecord) -> StoredModel:
        files: list[StoredFile] = []
        for file in record.files:
            try:
                stat = (Path(record.root) / file.path).stat()
            except OSError:
                continue  # gone since the last look: it takes no room
            files.append(StoredFile((stat.st_dev, stat.st_ino), stat.st_size))
        users = self._users_of(record.name)
        return StoredModel(
            name=record.name,
            format=record.format,
            origin=record.origin,
            files=tuple(files),
            added_at=record.added_at,
            last_used_at=record.last_used_at,
            pinned=record.pinned or self._pinned(record.name),
            in_use_by=", ".join(users) if users else None,
        )

    def _leftovers(self) -> list[Leftover]:
        return [
            Leftover(
                path=part.path,
                kind=LeftoverKind.PARTIAL,
                size=part.size,
                modified_at=datetime.fromtimestamp(part.modified_at, tz=UTC),
            )
            for part in self._store.stray_parts()
        ]

    def _drop(self, leftover: Leftover) -> int:
        leftover.path.unlink(missing_ok=True)
        return leftover.size
