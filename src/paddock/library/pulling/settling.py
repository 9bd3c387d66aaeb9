"""The last step of a pull: what arrived becomes a model of the library."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from paddock.errors import Corrupt
from paddock.hub.reference import ModelReference
from paddock.library.adopt import FoundFile
from paddock.library.adopt.walking import found_file
from paddock.library.carry.lockfile import LockedModel
from paddock.library.pulling.plan import PullOptions
from paddock.library.pulling.pulls import Work
from paddock.library.records import ModelRecord
from paddock.library.shelf import Seen, Shelf
from paddock.store.checksum import sha256_of
from paddock.store.layout import MANIFEST, Manifest, StoredFile
from paddock.store.unpack import unpack
from paddock.vocabulary import ModelFormat, Origin

UNPACKED = "unpacked"


def settle(work: Work, options: PullOptions, folder: Path, shelf: Shelf, before: ModelRecord | None) -> ModelRecord:
    """Unpack what came as an archive, read the headers and make the record. Blocking."""
    archive = work.listing.metadata.get("archive")
    if isinstance(archive, str):
        root, files = _unpacked(work, folder, archive)
    else:
        root, files = folder, _arrived(work, folder)
    seen = Seen(
        name=work.plan.name,
        reference=str(work.reference),
        source=work.listing.source,
        origin=Origin.PULLED,
        path=root,
        root=root,
        revision=work.listing.revision,
        files=files,
        license=work.listing.license,
    )
    record = shelf.record_of(seen, before=before)
    keys = {file.path: file.key for file in work.plan.files}
    return replace(
        record,
        origin=Origin.PULLED,
        reference=seen.reference,
        path=_path_of(record, root, files),
        files=tuple(replace(file, key=keys.get(file.path, "")) for file in record.files),
        pinned=options.pin or record.pinned,
        verified_at=shelf.now(),
    )


def settle_import(
    model: LockedModel,
    reference: ModelReference,
    folder: Path,
    shelf: Shelf,
    *,
    keys: Mapping[str, str],
    before: ModelRecord | None,
) -> ModelRecord:
    """The record of a model that was copied from a carried folder, every byte checked on the way. Blocking."""
    files = tuple(
        found_file(file.path, str(path), path.stat(), sha256=file.sha256, git_oid=file.git_oid)
        for file in model.files
        if (path := folder / file.path)
    )
    seen = Seen(
        name=model.name,
        reference=str(reference),
        source=model.source,
        origin=Origin.PULLED,
        path=folder,
        root=folder,
        revision=model.revision,
        files=files,
    )
    record = shelf.record_of(seen, before=before)
    return replace(
        record,
        origin=Origin.PULLED,
        reference=seen.reference,
        path=_path_of(record, folder, files),
        files=tuple(replace(file, key=keys[file.path]) for file in record.files),
        verified_at=shelf.now(),
    )


def _path_of(record: ModelRecord, root: Path, files: tuple[FoundFile, ...]) -> str:
    """What a runner opens: the weight file of a GGUF model, else the folder."""
    return str(root / _weights(files)) if record.format is ModelFormat.GGUF else str(root)


def _arrived(work: Work, folder: Path) -> tuple[FoundFile, ...]:
    return tuple(
        found_file(file.path, str(path), path.stat(), sha256=file.sha256, git_oid=file.git_oid)
        for file in work.plan.files
        if (path := folder / file.path)
    )


def _unpacked(work: Work, folder: Path, archive: str) -> tuple[Path, tuple[FoundFile, ...]]:
    """The members take the archive's place: keeping both would take the room twice. Their hashes are noted, for verify."""
    root = folder / UNPACKED
    if (folder / archive).exists():
        members = _unpack_anew(work, folder, archive)
    else:  # an earlier try got this far
        members = tuple(path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if path.is_file())
    hashes: Mapping[str, str] = {member: sha256_of(root / member) for member in members}
    files = tuple(found_file(name, str(root / name), (root / name).stat(), sha256=hashes[name]) for name in members)
    stored = tuple(StoredFile(f"{UNPACKED}/{file.path}", f"sha256:{file.sha256}", file.size) for file in files)
    manifest = Manifest(work.plan.name, work.listing.revision, stored)
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    (folder / archive).unlink(missing_ok=True)
    work.placement.discard()  # its content, too, which nothing names any more
    return root, files


def _unpack_anew(work: Work, folder: Path, archive: str) -> tuple[str, ...]:
    """What was unpacked before, and damaged since, is replaced. Of a hostile archive nothing stays."""
    root, fresh = folder / UNPACKED, folder / f"{UNPACKED}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        members = unpack(folder / archive, fresh)
    except Corrupt:
        if not root.exists():
            shutil.rmtree(folder)
            work.placement.discard()
        raise
    if root.exists():
        shutil.rmtree(root)
    fresh.rename(root)
    return members


def _weights(files: tuple[FoundFile, ...]) -> str:
    """The file that a GGUF runner opens: the first part, and not the projector."""
    gguf = sorted(file.path for file in files if file.path.lower().endswith(".gguf"))
    return next((path for path in gguf if "mmproj" not in path.lower() and "projector" not in path.lower()), gguf[0])
