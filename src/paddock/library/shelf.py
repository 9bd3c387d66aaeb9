"""The models on this disk: those in the records, those that other tools keep, those that came with the package.

A look at the shelf costs a few system calls a model. Headers are read only of what is new or changed since the record was
written; what vanished is dropped. The answer is good for a minute, or until something changes.
"""

import asyncio
import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from paddock.catalog.correcting import MemoryFacts
from paddock.catalog.known import KnownModels
from paddock.catalog.sizing import MemoryEstimate
from paddock.errors import StorageError
from paddock.hub.kaggle import framework_of
from paddock.hub.reference import parse_reference
from paddock.hub.source import Listing
from paddock.hub.weight_files import is_small
from paddock.library.adopt import FileRole, FoundFile, FoundModel
from paddock.library.adopt.walking import found_file
from paddock.library.adopt.weights import gguf_groups
from paddock.library.caching import TimedCache
from paddock.library.card import CARD_NAME, Card, read_card
from paddock.library.carry.bundles import BundledModel
from paddock.library.fingerprint import FileStamp, fingerprint_files, fingerprint_stamps
from paddock.library.inspection import Inspection, disk_reader, inspect
from paddock.library.judging import Judge, Judgement
from paddock.library.naming import library_name
from paddock.library.records import KeptFile, ModelRecord, Records
from paddock.store.layout import Manifest
from paddock.vocabulary import Origin, SourceKind

_log = logging.getLogger(__name__)
_SHELF = "shelf"

# Ollama names blobs by digest; what they are to the model is told by their role.
_ROLE_NAMES = {
    FileRole.PROJECTOR: "mmproj.gguf",
    FileRole.ADAPTER: "adapter.gguf",
    FileRole.TEMPLATE: "template",
    FileRole.SYSTEM: "system",
    FileRole.PARAMETERS: "params.json",
    FileRole.LICENSE: "license",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One model that a look at the disk found, before anything was read from it."""

    name: str
    reference: str
    source: SourceKind
    origin: Origin
    path: Path
    root: Path
    revision: str | None
    files: tuple[FoundFile, ...]
    license: str | None = None

    @property
    def fingerprint(self) -> str:
        return fingerprint_stamps(FileStamp(file.path, file.size, file.mtime_ns) for file in self.files)


def seen_elsewhere(found: FoundModel) -> Seen:
    """Another tool's model, under the name that the library gives it."""
    return Seen(
        name=library_name(parse_reference(found.reference), found.name, None)
        if found.source is SourceKind.OLLAMA
        else found.name,
        reference=found.reference,
        source=found.source,
        origin=Origin.ADOPTED,
        path=found.path,
        root=found.root,
        revision=found.revision,
        files=found.files,
    )


def seen_in_bundle(model: BundledModel) -> Seen:
    """A model that ships with the package, or with somebody's product. Its bundle tells what each file must hash to."""
    files: list[FoundFile] = []
    for file in model.files:
        path = model.path / file.path
        files.append(found_file(file.path, str(path), path.stat(), sha256=file.sha256, git_oid=file.git_oid))
    revision = hashlib.sha256("".join(f"{file.path}\0{file.sha256}\n" for file in model.files).encode()).hexdigest()
    return Seen(
        name=model.name,
        reference=f"builtin://{model.name}",
        source=SourceKind.BUILTIN,
        origin=Origin.BUILTIN,
        path=model.path,
        root=model.path,
        revision=revision,
        files=tuple(files),
    )


def seen_in_store(manifest: Manifest, folder: Path) -> Seen:
    """A model of our own store, as its manifest tells: found again when the database was lost.

    Where it came from is not written there, so it counts as a local one that may be removed.
    """
    digests = {file.path: file.key.removeprefix("sha256:") for file in manifest.files if file.key.startswith("sha256:")}
    files = tuple(
        found_file(file.path, str(path), path.stat(), sha256=digests.get(file.path))
        for file in manifest.files
        if (path := folder / file.path).is_file()
    )
    groups = gguf_groups(file.path for file in files)
    return Seen(
        name=manifest.name,
        reference=f"file://{quote(str(folder))}",
        source=SourceKind.LOCAL,
        origin=Origin.PULLED,
        path=folder / groups[0].paths[0] if groups else folder,
        root=folder,
        revision=manifest.revision,
        files=files,
    )


class Shelf:
    """What is here, from records and disk together."""

    def __init__(
        self,
        *,
        records: Records,
        look: Callable[[], Iterable[Seen]],
        known: KnownModels,
        judge: Judge,
        lifetime_s: float,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        """`look` walks the disk (blocking, in a worker thread); it is asked at most once in `lifetime_s`."""
        self._records = records
        self._look = look
        self._known = known
        self._judge = judge
        self.now = now
        self._cache: TimedCache[Mapping[str, ModelRecord]] = TimedCache(lifetime_s=lifetime_s, clock=clock)

    async def models(self) -> Mapping[str, ModelRecord]:
        """Every model here, by name."""
        return (await self._cache.get(_SHELF, self._take_stock)).value

    def invalidate(self) -> None:
        self._cache.clear()

    async def _take_stock(self) -> Mapping[str, ModelRecord]:
        records, unreadable = await self._records.all()
        if unreadable:
            # The files are the truth; what can be seen on the disk is read again below.
            _log.warning("library.records_unreadable names=%s", ",".join(unreadable))
            await self._records.delete(*unreadable)
        stock = await asyncio.to_thread(self._compare, records)
        if stock.changed:
            await self._records.save(*stock.changed)
        if stock.gone:
            _log.info("library.models_gone names=%s", ",".join(stock.gone))
            await self._records.delete(*stock.gone)
        return dict(sorted(stock.present.items()))

    def _compare(self, records: Mapping[str, ModelRecord]) -> "_Stock":
        """Blocking: look at the disk and at each record's files, and read what is new."""
        by_path = {record.path: record for record in records.values()}
        stock = _Stock()
        for record in records.values():
            if record.origin is Origin.PULLED:
                self._check_pulled(record, stock)
        pulled = {_real_place(record.path, record.root) for record in stock.present.values()}
        for seen in self._look():
            record = by_path.get(str(seen.path)) or records.get(seen.name)
            name = record.name if record is not None and record.path == str(seen.path) else seen.name
            if name in stock.present or _real_place(seen.path, seen.root) in pulled:
                continue  # two tools know the same model: the first keeps the name
            if record is not None and record.path == str(seen.path) and record.fingerprint == seen.fingerprint:
                stock.present[name] = record
                continue
            stock.take(self.record_of(replace(seen, name=name), before=record))
        for record in records.values():
            if record.origin is not Origin.PULLED and record.name not in stock.present:
                self._check_unseen(record, stock)
        stock.gone = [name for name in stock.gone if name not in stock.present]
        return stock

    def _check_pulled(self, record: ModelRecord, stock: "_Stock") -> None:
        """A model that we fetched: nobody knows better than we which files it has, so no search is asked."""
        try:
            fingerprint = fingerprint_files(Path(record.root), (file.path for file in record.files))
        except StorageError:
            weights = (file.path for file in record.files if not is_small(file.path))
            if any(Path(record.root, path).is_file() for path in weights):
                stock.present[record.name] = record  # damaged, not gone: `verify` says so, and repairs it
            else:
                stock.gone.append(record.name)
            return
        if fingerprint == record.fingerprint:
            stock.present[record.name] = record
        else:
            # What each file must be is what its source told, whatever has become of it: `verify` compares with that.
            again = self.record_of(_seen_again(record), before=record)
            stock.take(replace(again, files=record.files, size_bytes=record.size_bytes))

    def _check_unseen(self, record: ModelRecord, stock: "_Stock") -> None:
        """A record that no search covers any more, or never did: a registered folder."""
        try:
            fingerprint = fingerprint_files(Path(record.root), (file.path for file in record.files))
        except StorageError:
            if record.origin is Origin.REGISTERED:
                return  # its disk may come back; the record waits, the list does not show it
            stock.gone.append(record.name)
            return
        if fingerprint == record.fingerprint:
            stock.present[record.name] = record
        elif record.origin in (Origin.ADOPTED, Origin.BUILTIN):
            stock.gone.append(record.name)
        else:
            stock.take(self.record_of(_seen_again(record), before=record))

    def judge(self, record: ModelRecord, *, measured: Sequence[MemoryFacts] = ()) -> Judgement:
        """What the model means on this machine, read from its headers; `measured` as for `Judge`. Blocking."""
        inspection, sizes, card = self._look_into(record)
        return self._judge.judge(record.name, inspection, sizes, tags=card.hub.tags, measured=measured)

    def estimate(self, record: ModelRecord, *, measured: Sequence[MemoryFacts] = ()) -> MemoryEstimate | None:
        """How much memory it takes on this machine; None when nobody can tell. Blocking, likewise."""
        inspection, sizes, _ = self._look_into(record)
        return self._judge.estimate(inspection, sizes, measured)

    def _look_into(self, record: ModelRecord) -> tuple[Inspection, list[tuple[str, int]], Card]:
        seen = _seen_again(record)
        card = _card(seen)
        return self._inspect(seen, card), [(_shown_name(seen, file), file.size) for file in seen.files], card

    def _inspect(self, seen: Seen, card: Card) -> Inspection:
        locations = {_shown_name(seen, file): file.location for file in seen.files}
        return inspect(seen.name, list(locations), disk_reader(locations), known=self._known, hub=card.hub)

    async def register(self, listing: Listing, *, name: str, pinned: bool) -> ModelRecord:
        """Take a local file or folder into the list where it lies. Nothing is copied."""
        record = replace(await asyncio.to_thread(self._registered, listing, name), pinned=pinned)
        await self.add(record)
        return record

    def _registered(self, listing: Listing, name: str) -> ModelRecord:
        path = Path(listing.reference.name)
        files = tuple(found_file(file.path, file.location, Path(file.location).stat()) for file in listing.files)
        seen = Seen(
            name=name,
            reference=str(listing.reference),
            source=SourceKind.LOCAL,
            origin=Origin.REGISTERED,
            path=path,
            root=path if path.is_dir() else path.parent,
            revision=listing.revision,
            files=files,
            license=listing.license,
        )
        return self.record_of(seen)

    async def add(self, record: ModelRecord) -> None:
        await self._records.save(record)
        self.invalidate()

    async def put(self, record: ModelRecord, before: ModelRecord | None) -> None:
        """Take in what a pull brought. The revision that it replaces in the Hugging Face cache stays ours, by its full
        name: its bytes are still there, and nobody else will know that they may go."""
        await self.add(record)
        if (
            before is not None
            and (before.origin, before.source) == (Origin.PULLED, SourceKind.HUGGINGFACE)
            and before.root != record.root
        ):
            name = str(replace(parse_reference(before.reference), revision=before.revision))
            await self.add(replace(before, name=name, reference=name, pinned=False))

    def record_of(self, seen: Seen, *, before: ModelRecord | None = None) -> ModelRecord:
        """Read the model's headers and make its record; what people set on it (`before`) stays. Blocking."""
        card = _card(seen)
        inspection = self._inspect(seen, card)
        now = self.now()
        newest_ns = max((file.mtime_ns for file in seen.files), default=0)
        keys = {file.path: file.key for file in before.files} if before is not None else {}
        origin = before.origin if before is not None and before.path == str(seen.path) else seen.origin
        return ModelRecord(
            name=seen.name,
            source=seen.source,
            origin=origin,
            reference=before.reference if before is not None and origin is Origin.PULLED else seen.reference,
            revision=seen.revision,
            format=inspection.facts.format,
            path=str(seen.path),
            root=str(seen.root),
            size_bytes=sum({file.identity: file.size for file in seen.files}.values()),
            files=tuple(
                KeptFile(
                    path=file.path,
                    size=file.size,
                    sha256=file.sha256,
                    git_oid=file.git_oid,
                    key=keys.get(file.path) or file.sha256 or "",
                    role=file.role,
                )
                for file in seen.files
            ),
            facts=inspection.facts,
            fingerprint=seen.fingerprint,
            license=seen.license or card.license or inspection.license or (before.license if before else None),
            pinned=before.pinned if before else False,
            keep_alive=before.keep_alive if before else None,
            options=before.options if before else {},
            added_at=before.added_at if before else now,
            modified_at=datetime.fromtimestamp(newest_ns / 1e9, tz=now.tzinfo),
            last_used_at=before.last_used_at if before else None,
            verified_at=None,  # the bytes are not those that were verified
        )


@dataclass(slots=True)
class _Stock:
    """What a comparison of records and disk brought."""

    present: dict[str, ModelRecord]
    changed: list[ModelRecord]
    gone: list[str]

    def __init__(self) -> None:
        self.present, self.changed, self.gone = {}, [], []

    def take(self, record: ModelRecord) -> None:
        self.present[record.name] = record
        self.changed.append(record)


def _card(seen: Seen) -> Card:
    """What the model's own README says of it, and at Kaggle its address; nothing where there is neither."""
    found = next((file for file in seen.files if file.path == CARD_NAME), None)
    card = read_card(Path(found.location)) if found is not None else Card()
    if seen.source is SourceKind.KAGGLE:
        return replace(card, hub=replace(card.hub, library_name=framework_of(parse_reference(seen.reference))))
    return card


def _real_place(path: str | Path, root: str | Path) -> Path:
    """Where a model is, links above it followed: people keep their caches on another disk. Links in it are its own."""
    return Path(root).resolve() / os.path.relpath(path, root)


def _shown_name(seen: Seen, file: FoundFile) -> str:
    """The file's name as formats are told by: a blob named after its digest says nothing."""
    if file.role is not FileRole.PART:
        return _ROLE_NAMES[file.role]
    if seen.source is SourceKind.OLLAMA and file.path.rsplit("/", 1)[-1].startswith("sha256-"):
        return "model.gguf"
    return file.path


def _seen_again(record: ModelRecord) -> Seen:
    """A record's own files, looked at anew."""
    files = tuple(
        found_file(file.path, str(path), path.stat(), sha256=file.sha256, git_oid=file.git_oid, role=file.role)
        for file in record.files
        if (path := Path(record.root) / file.path)
    )
    return Seen(
        name=record.name,
        reference=record.reference,
        source=record.source,
        origin=record.origin,
        path=Path(record.path),
        root=Path(record.root),
        revision=record.revision,
        files=files,
        license=record.license,
    )
