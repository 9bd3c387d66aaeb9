"""The same models on another machine: `models.lock`, `sync`, and folders carried over by hand."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from paddock.errors import Corrupt, InvalidFile, InvalidReference, NotFound, PaddockError, StorageError
from paddock.hub.reference import ModelReference, parse_reference
from paddock.hub.stopping import Stop
from paddock.library.carry.exchange import (
    ExportedModel,
    ExportPlan,
    ImportedModel,
    content_keys,
    export_models,
    import_model,
    plan_export,
    read_carried,
)
from paddock.library.carry.inventory import FileEntry
from paddock.library.carry.lockfile import (
    Differences,
    Lock,
    LockedModel,
    compare,
    find_in_folder,
    read_lock,
    write_lock,
)
from paddock.library.naming import model_not_found, refuse_taken_name, resolve_name
from paddock.library.pulling.planner import Place
from paddock.library.pulling.settling import settle_import
from paddock.library.records import ModelRecord
from paddock.library.shelf import Shelf
from paddock.store.checksum import sha256_of, verify_file
from paddock.vocabulary import Origin, SourceKind


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """What `sync` found and did."""

    differences: Differences
    pulled: tuple[str, ...] = ()
    copied: tuple[str, ...] = ()  # from the carried folder
    failures: tuple[tuple[str, str], ...] = ()  # (model, what went wrong)

    @property
    def is_same(self) -> bool:
        """Whether this machine now has what the lock says."""
        return not self.failures and (
            self.differences.is_same
            or {model.name for model in self.differences.to_fetch} <= {*self.pulled, *self.copied}
        )


class Carrier:
    def __init__(self, *, shelf: Shelf, place: Place) -> None:
        self._shelf = shelf
        self._place = place

    async def lock(self, path: Path, names: Sequence[str] = ()) -> Lock:
        """Write down exactly what is here: revisions and hashes of every model that can be had elsewhere.

        The same models give the same bytes, wherever and whenever they were fetched.
        """
        records = await self._chosen(names)
        locked = await asyncio.to_thread(lambda: [locked_model(record) for record in records if _portable(record)])
        lock = Lock(tuple(locked))
        await asyncio.to_thread(write_lock, lock, path)
        return lock

    async def compare(self, path: Path) -> Differences:
        """What this machine lacks of a lock. Sizes and noted hashes only; `verify` reads the bytes."""
        lock = await asyncio.to_thread(read_lock, path)
        records = [record for record in (await self._shelf.models()).values() if _portable(record)]
        return compare(lock, await asyncio.to_thread(lambda: [_known_model(record) for record in records]))

    async def sync(
        self,
        path: Path,
        *,
        frozen: bool,
        folder: Path | None,
        pull: Callable[[LockedModel], Awaitable[object]],
        dry_run: bool = False,
    ) -> SyncReport:
        """Make this machine hold what the lock says: from `folder` where it has it, else from the source.

        A pull of a lock pins revisions and hashes. `frozen` also insists: when one model could not be had, or one byte on
        this disk is not what the lock says, it raises Corrupt and names it. Models that the lock does not name stay.
        """
        differences = await self.compare(path)
        if dry_run:
            return SyncReport(differences=differences)
        carried = await self._carried(folder, differences.to_fetch)
        pulled: list[str] = []
        copied: list[str] = []
        failures: list[tuple[str, str]] = []
        for model in differences.to_fetch:
            try:
                if model.name in carried:
                    await self._import(carried[model.name])
                    copied.append(model.name)
                else:
                    await pull(model)
                    pulled.append(model.name)
            except PaddockError as error:
                failures.append((model.name, error.message))
        self._shelf.invalidate()
        report = SyncReport(
            differences=differences, pulled=tuple(pulled), copied=tuple(copied), failures=tuple(failures)
        )
        if frozen:
            await self._insist(path, report)
        return report

    async def export(self, names: Sequence[str], folder: Path, *, dry_run: bool = False) -> ExportPlan:
        """Copy models and their lock into a folder that can be carried to another machine."""
        records = await self._chosen(names)
        if not names:
            records = [record for record in records if record.origin is not Origin.BUILTIN]
        exported = await asyncio.to_thread(lambda: [_exported(record) for record in records])
        plan = await asyncio.to_thread(plan_export, exported, folder)
        if not dry_run:
            await asyncio.to_thread(export_models, plan)
        return plan

    async def import_folder(self, folder: Path, names: Sequence[str] = (), *, dry_run: bool = False) -> Sequence[str]:
        """Take the models of a carried folder, every hash checked. Returns their names."""
        carried = await asyncio.to_thread(lambda: read_carried(folder, names=names or None))
        if not dry_run:
            for imported in carried:
                await self._import(imported)
            self._shelf.invalidate()
        return [imported.model.name for imported in carried]

    async def _import(self, imported: ImportedModel) -> None:
        model = imported.model
        reference = parse_reference(model.reference)
        if reference.source is not model.source:
            raise InvalidFile(
                f"`{model.name}` claims to come from {model.source.value}, and `{model.reference}` does not.",
                hint="Nothing was copied. Write the lock anew with `paddock lock`.",
            )
        if model.revision is None:
            raise InvalidFile(
                f"The lock tells no revision of `{model.name}`.",
                hint="Nothing was copied. Write the lock anew with `paddock lock`.",
            )
        before = (await self._shelf.models()).get(model.name)
        if before is not None:
            refuse_taken_name(model.name, parse_reference(before.reference), reference)
            if before.revision == model.revision and not _differing(model, before):
                return  # it is here, from wherever it came
        record = await asyncio.to_thread(self._import_now, imported, reference, before)
        await self._shelf.put(record, before)

    def _import_now(
        self, imported: ImportedModel, reference: ModelReference, before: ModelRecord | None
    ) -> ModelRecord:
        model = imported.model
        keys = content_keys(model)
        placement = self._place(reference, model.name, str(model.revision), keys)
        folder = import_model(imported, placement, keys=keys)
        return settle_import(model, reference, folder, self._shelf, keys=keys, before=before)

    async def _carried(self, folder: Path | None, wanted: Sequence[LockedModel]) -> Mapping[str, ImportedModel]:
        """Those of the wanted models that lie whole in `folder`, under whatever names."""
        if folder is None or not wanted:
            return {}
        matches = await asyncio.to_thread(find_in_folder, folder, Lock(tuple(wanted)))
        return {
            model.name: ImportedModel(model=model, sources=matches.found[model.name])
            for model in wanted
            if matches.is_complete(model.name)
        }

    async def _insist(self, path: Path, report: SyncReport) -> None:
        """Raises Corrupt unless every locked model is here to the byte."""
        problem = report.failures[0] if report.failures else None
        if problem is None:
            left = (await self.compare(path)).to_fetch
            problem = (left[0].name, "it is not what the lock says") if left else await self._wrong_byte(path)
        if problem is not None:
            raise Corrupt(
                f"This machine is not what {path.name} says: `{problem[0]}`: {problem[1]}",
                hint="Mend the cause and run `paddock sync --frozen` again; what arrived is kept.",
            )

    async def _wrong_byte(self, path: Path) -> tuple[str, str] | None:
        """The first model with a file whose bytes are not those of the lock, and what is wrong with it."""
        lock = await asyncio.to_thread(read_lock, path)
        models = await self._shelf.models()
        stop = Stop()
        for locked in lock.models:
            try:
                problem = await asyncio.to_thread(_read_through, locked, models[locked.name], stop)
            except asyncio.CancelledError:
                stop.request()
                raise
            if problem is not None:
                return locked.name, f"{problem} `paddock verify --repair {locked.name}` fetches it again."
        return None

    async def _chosen(self, names: Sequence[str]) -> list[ModelRecord]:
        models = await self._shelf.models()
        chosen: list[ModelRecord] = []
        for name in names:
            found = resolve_name(name, models, {})
            if found is None:
                raise model_not_found(name, models)
            chosen.append(models[found])
        return chosen if names else list(models.values())


def locked_model(record: ModelRecord) -> LockedModel:
    """The record as a lock tells it. Blocking: a file whose source told no hash is hashed now."""
    files = tuple(
        FileEntry(
            path=file.path,
            size=file.size,
            # One hash a file: what an import learnt beside the hub's own must not make two machines differ.
            sha256=None if file.git_oid else file.sha256 or sha256_of(Path(record.root) / file.path),
            git_oid=file.git_oid,
        )
        for file in record.files
    )
    return replace(_known_model(record), files=files)


def _known_model(record: ModelRecord) -> LockedModel:
    """The same without reading a byte: what is not noted is not compared."""
    files = tuple(
        FileEntry(path=file.path, size=file.size, sha256=file.sha256, git_oid=file.git_oid) for file in record.files
    )
    return LockedModel(
        name=record.name,
        reference=_reference_of(record),
        source=record.source,
        revision=record.revision,
        format=record.format,
        files=files,
    )


def _reference_of(record: ModelRecord) -> str:
    """What to ask the source for. A model of the hub may have come with its commit or its branch: its name says it."""
    if record.source is not SourceKind.HUGGINGFACE:
        return record.reference
    try:
        named = parse_reference(record.name)
    except InvalidReference:  # a name that somebody chose
        return record.reference
    same = named.source is SourceKind.HUGGINGFACE and named.name == parse_reference(record.reference).name
    return record.name if same else record.reference


def _differing(model: LockedModel, record: ModelRecord) -> bool:
    return not compare(Lock((model,)), [_known_model(record)]).is_same


def _read_through(locked: LockedModel, record: ModelRecord, stop: Stop) -> str | None:
    """What is wrong with the first file whose bytes are not the locked ones. Blocking."""
    for file in locked.files:
        try:
            verify_file(
                Path(record.root) / file.path,
                size=file.size,
                sha256=file.sha256,
                git_oid=file.git_oid,
                check=stop.check,
            )
        except (Corrupt, StorageError) as error:
            return error.message
    return None


def _exported(record: ModelRecord) -> ExportedModel:
    if not record.files:
        raise NotFound(f"`{record.name}` has no files.", hint="Look at it with `paddock show`.")
    sources = {file.path: Path(record.root) / file.path for file in record.files}
    return ExportedModel(model=locked_model(record), sources=sources)


def _portable(record: ModelRecord) -> bool:
    """Built-in models are everywhere; a registered folder is nowhere else."""
    return record.origin is not Origin.BUILTIN and record.source is not SourceKind.LOCAL
