"""What the disk holds, and what a clean-up would free: rows and disk gathered for the pure choice in prune.py."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from paddock.config.schema import Disk
from paddock.errors import PaddockError
from paddock.hub.hub_leftovers import StrayPart, WantedPull, drop_part, stray_parts
from paddock.hub.reference import parse_reference
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
from paddock.library.pulling.jobs import FINISHED, Jobs, PullJob
from paddock.library.records import ModelRecord
from paddock.library.shelf import Shelf
from paddock.store.layout import ModelStore, Part
from paddock.store.leftovers import StoreLeftovers
from paddock.store.store_paths import read_manifest
from paddock.vocabulary import SourceKind


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
        hub_cache: Path,
        jobs: Jobs,
        pinned: Callable[[str], bool],
        users_of: Callable[[str], Sequence[str]],
        now: Callable[[], datetime],
    ) -> None:
        self._shelf = shelf
        self._store = store
        self._leftovers = StoreLeftovers(store)
        self._hub_cache = hub_cache
        self._jobs = jobs
        self._pinned = pinned
        self._users_of = users_of
        self._now = now

    async def usage(self) -> UsageReport:
        """Bytes by framework and model; what models share is counted once."""
        models = await self._shelf.models()
        return await asyncio.to_thread(lambda: usage(self._stored(models)))

    async def plan(
        self, *, older_than_days: float | None = None, max_bytes: int | None = None, keep: Collection[str] = ()
    ) -> PrunePlan:
        """What a clean-up would remove. With neither limit only leftovers go; models in `keep` stay."""
        models = await self._shelf.models()
        unfinished = [job for job in await self._jobs.all() if job.status not in FINISHED]
        older_than = timedelta(days=older_than_days) if older_than_days is not None else None
        return await asyncio.to_thread(
            lambda: choose(
                self._stored(models, keep),
                now=self._now(),
                older_than=older_than,
                max_bytes=max_bytes,
                leftovers=self._left(models, unfinished),
            )
        )

    async def prune(self, plan: PrunePlan, remove: Callable[[str], Awaitable[int]]) -> Pruned:
        """Carry out a plan. `remove` deletes one model and returns the bytes freed; one failure does not stop the rest."""
        freed = 0
        failures: list[str] = []
        for leftover in plan.leftovers:
            try:
                await asyncio.to_thread(self._drop, leftover)
                freed += leftover.size
            except PaddockError as error:  # such as InUse: its pull has begun again
                failures.append(error.message)
        for removal in plan.removals:
            try:
                freed += await remove(removal.name)
            except PaddockError as error:
                failures.append(error.message)
        return Pruned(plan=plan, freed_bytes=freed, failures=tuple(failures))

    async def auto_prune(
        self, disk: Disk, remove: Callable[[str], Awaitable[int]], *, keep: Collection[str] = ()
    ) -> Pruned | None:
        """Clean up as the settings say, but for `keep`; None when they say no, or there is nothing to do."""
        if not disk.auto_prune:
            return None
        plan = await self.plan(older_than_days=disk.auto_prune_days, max_bytes=disk.auto_prune_max_bytes, keep=keep)
        return None if plan.is_empty else await self.prune(plan, remove)

    def _stored(self, models: Mapping[str, ModelRecord], keep: Collection[str] = ()) -> list[StoredModel]:
        return [self._stored_model(record, keep) for record in models.values()]

    def _stored_model(self, record: ModelRecord, keep: Collection[str]) -> StoredModel:
        files: list[StoredFile] = []
        for file in record.files:
            try:
                stat = (Path(record.root) / file.path).stat()
            except OSError:
                continue  # gone since the last look: it takes no room
            files.append(StoredFile((stat.st_dev, stat.st_ino), stat.st_size))
        users = [*self._users_of(record.name), *(["a pull that has just ended"] if record.name in keep else [])]
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

    def _left(self, models: Mapping[str, ModelRecord], unfinished: Sequence[PullJob]) -> list[Leftover]:
        """Blocking: everything that neither a model here nor a pull that may go on has a use for."""
        wanted = {(job.name, job.revision or "") for job in unfinished}
        roots = {Path(record.root) for record in models.values()}
        parts: list[Part | StrayPart] = [*self._leftovers.stray_pulls(wanted)]
        if self._hub_cache.is_dir():
            parts += stray_parts(self._hub_cache, _wanted_pulls(unfinished))
        orphans = self._leftovers.unused()
        orphans += [part for part, name, _ in self._leftovers.strangers(roots, wanted) if not self._users_of(name)]
        return [_leftover(part, LeftoverKind.PARTIAL) for part in parts] + [
            _leftover(part, LeftoverKind.ORPHAN) for part in orphans
        ]

    def _drop(self, leftover: Leftover) -> None:
        path, root = leftover.path, self._store.root
        if path.is_relative_to(self._hub_cache):
            drop_part(path)
        elif path.is_relative_to(root / "parts"):
            self._leftovers.drop_pull(path)
        elif path.is_relative_to(root / "models"):
            manifest = read_manifest(path)
            if manifest is not None:  # else somebody was faster
                self._store.remove(manifest.name, manifest.revision)
        elif path.exists():
            self._store.sweep()  # all of them at once


def _wanted_pulls(unfinished: Sequence[PullJob]) -> list[WantedPull]:
    """The unfinished pulls from the hub, whose parts lie in its cache."""
    references = [(parse_reference(job.reference), job) for job in unfinished]
    return [
        WantedPull(reference.name, job.revision or "", tuple(file.path for file in job.files))
        for reference, job in references
        if reference.source is SourceKind.HUGGINGFACE
    ]


def _leftover(part: Part | StrayPart, kind: LeftoverKind) -> Leftover:
    return Leftover(
        path=part.path, kind=kind, size=part.size, modified_at=datetime.fromtimestamp(part.modified_at, tz=UTC)
    )
