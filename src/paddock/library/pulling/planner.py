"""Makes plans, and the work that carries one out. Nothing moves here."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from paddock.errors import Airgapped, HubUnreachable, NotFound
from paddock.hub.reference import ModelReference
from paddock.hub.source import RemoteFile
from paddock.library.machine import Machine
from paddock.library.pulling.basis import Bases, Basis
from paddock.library.pulling.jobs import Jobs
from paddock.library.pulling.plan import Plan, PlannedFile, PullOptions
from paddock.library.pulling.pulls import Work
from paddock.store.placement import Placement
from paddock.store.space import DiskOutcome, DiskVerdict, FreeSpace, judge_disk, volume_of
from paddock.units import human_bytes
from paddock.vocabulary import Confidence, SourceKind, Verdict

Place = Callable[[ModelReference, str, str, Mapping[str, str]], Placement]
"""(reference, the model's name, its revision, key by path) → where it lands."""


class Planner:
    def __init__(
        self,
        *,
        bases: Bases,
        jobs: Jobs,
        place: Place,
        machine: Machine,
        budget_bytes: int,
        disk_factor: float,
        free_space: FreeSpace,
    ) -> None:
        self._bases = bases
        self._jobs = jobs
        self._place = place
        self._machine = machine
        self._budget_bytes = budget_bytes
        self._disk_factor = disk_factor
        self._free_space = free_space

    async def plan(self, reference: ModelReference, options: PullOptions, *, at: str | None = None) -> Plan:
        """What pulling `reference` would do; `at` as for `work`. Raises what its source raises."""
        basis = await self._bases.get(reference)
        if at is not None and basis.listing.revision != at:
            with suppress(
                NotFound, HubUnreachable, Airgapped
            ):  # taken back, or nobody to ask: the newest that is known
                basis = _spelled(await self._bases.get(replace(reference, revision=at)), reference)
        return await self._plan(basis, self._placement(basis, options), options)

    async def work(self, reference: ModelReference, options: PullOptions, *, at: str | None = None) -> Work:
        """The same, with all that it takes to carry it out. Always asks the source.

        `at` is the commit at which an interrupted pull began: a branch that moved since does not mix two revisions.
        """
        basis = _spelled(await self._bases.ask(replace(reference, revision=at) if at else reference), reference)
        placement = self._placement(basis, options)
        plan = await self._plan(basis, placement, options)
        missing = tuple(file for file, planned in zip(basis.chosen, plan.files, strict=True) if not planned.here)
        return Work(
            reference=basis.listing.reference, plan=plan, listing=basis.listing, missing=missing, placement=placement
        )

    def check_room(self, work: Work, reserved_bytes: int) -> None:
        """Raises NotEnoughDisk when the disk cannot take this pull beside those that have reserved their part."""
        verdict = self._judge_disk(work.placement.root, work.plan.fetch_bytes, reserved_bytes)
        if verdict.outcome is DiskOutcome.REFUSED:
            raise verdict.refusal(work.plan.name)

    def _placement(self, basis: Basis, options: PullOptions) -> Placement:
        keys = {file.path: file.key for file in basis.chosen}
        return self._place(basis.listing.reference, options.name or basis.name, basis.listing.revision, keys)

    async def _plan(self, basis: Basis, placement: Placement, options: PullOptions) -> Plan:
        stays = basis.listing.source in (SourceKind.LOCAL, SourceKind.BUILTIN)  # listed where it lies, never copied
        files = tuple(_planned(file, placement, stays=stays) for file in basis.chosen)
        contents = {file.key: file for file in files}  # one content under two names moves and lies on the disk once
        total = sum(file.size or 0 for file in contents.values())
        here = sum(file.size or 0 for file in contents.values() if file.here) + _partial_bytes(files, placement)
        fetch = max(0, total - here)
        reserved = await self._jobs.reserved_bytes(volume_of(placement.root), except_id=None)
        disk = self._judge_disk(placement.root, fetch, reserved)
        facts = basis.facts
        size_known = all(file.size is not None for file in files)
        return Plan(
            reference=str(basis.listing.reference),
            name=options.name or basis.name,
            source=basis.listing.source,
            revision=basis.listing.revision,
            format=facts.format,
            framework=facts.format.framework,
            license=basis.listing.license,
            gated=basis.listing.gated,
            files=files,
            total_bytes=total,
            here_bytes=here,
            fetch_bytes=fetch,
            size_known=size_known,
            facts=facts,
            compatibility=basis.judgement.compatibility,
            disk_path=str(placement.root),
            disk=disk,
            device=self._machine.device,
            memory_budget_bytes=self._budget_bytes,
            memory=basis.judgement.memory,
            working_context=basis.judgement.working_context,
            memory_basis=basis.judgement.memory_basis,
            warnings=_warnings(basis, disk, size_known=size_known),
            stale=basis.stale,
            told_at=basis.told_at,
        )

    def _judge_disk(self, root: Path, fetch_bytes: int, reserved_bytes: int) -> DiskVerdict:
        return judge_disk(
            fetch_bytes,
            free_bytes=self._free_space(root),
            reserved_bytes=reserved_bytes,
            factor=self._disk_factor,
        )


def _spelled(basis: Basis, reference: ModelReference) -> Basis:
    """The basis of one commit as that of the revision that was asked for, in the source's own spelling."""
    asked = replace(basis.listing.reference, revision=reference.revision)
    return replace(basis, listing=replace(basis.listing, reference=asked))


def _planned(file: RemoteFile, placement: Placement, *, stays: bool) -> PlannedFile:
    return PlannedFile(
        path=file.path,
        size=file.size,
        here=stays or placement.holds(file.path, file.key, file.size),
        sha256=file.sha256,
        git_oid=file.git_oid,
        key=file.key,
    )


def _partial_bytes(files: tuple[PlannedFile, ...], placement: Placement) -> int:
    """What an interrupted pull left: bytes that need not be fetched again."""
    partials = {file.key: (placement.partial(file.key), file.size) for file in files if not file.here}
    return sum(min(path.stat().st_size, size or 0) for path, size in partials.values() if path.is_file())


def _warnings(basis: Basis, disk: DiskVerdict, *, size_known: bool) -> tuple[str, ...]:
    """What a person should know, but what is no reason to refuse."""
    warnings: list[str] = []
    if basis.stale:
        warnings.append(f"The hub cannot be reached; this is what it said at {basis.told_at:%Y-%m-%d %H:%M} UTC.")
    if disk.outcome is DiskOutcome.TIGHT:
        warnings.append(
            f"The disk is tight: {human_bytes(disk.available_bytes)} is free, "
            f"{human_bytes(disk.comfortable_bytes)} is recommended (`disk.factor`)."
        )
    if basis.listing.gated:
        warnings.append("The model is gated: its owner wants its terms accepted, and a token, before a download.")
    if not size_known:
        warnings.append("The source does not tell the size of every file; the disk can only be checked on the way.")
    if not all(file.sha256 or file.git_oid for file in basis.chosen):
        warnings.append("The source tells no hash for some files; their size is all that can be checked.")
    if basis.judgement.compatibility.verdict is Verdict.UNKNOWN:
        warnings.extend(basis.judgement.compatibility.reasons)
    if basis.judgement.compatibility.confidence is Confidence.LOW:
        warnings.append("Nobody says that it runs on MLX; its files and architecture only suggest it.")
    warnings.extend(basis.judgement.problems)
    return tuple(warnings)
