"""Models carried from machine to machine: a folder with their files and a `models.lock`, written and read back.

    folder/
    ├── models.lock
    └── org-name--4f0c…/config.json …

Every byte is hashed on its way out and on its way in. A model appears in the folder, and in the store, whole or not at
all. Blocking; the library calls it from a worker thread.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from paddock.errors import Corrupt, InvalidFile, NotFound, StorageError, UsageError
from paddock.library.carry.inventory import CHUNK_BYTES, FileEntry, is_safe_path
from paddock.library.carry.lockfile import LOCK_NAME, Copy, Lock, LockedModel, find_in_folder, read_lock, write_lock
from paddock.store.checksum import git_blob_hasher, sha256_hasher
from paddock.store.names import folder_name
from paddock.store.placement import Placement
from paddock.vocabulary import SourceKind

Report = Callable[[int], None]  # is told how many more bytes have been copied; may raise to stop


def _silent(_: int) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedModel:
    """A model to be carried away: what a lock says of it, and where each of its files lies now."""

    model: LockedModel
    sources: Mapping[str, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPlan:
    """What an export would write."""

    folder: Path
    lock: Lock
    folders: Mapping[str, str]  # the folder of each model
    copies: Mapping[str, tuple[Copy, ...]]

    @property
    def total_bytes(self) -> int:
        return sum(model.size for model in self.lock.models)


def plan_export(models: Sequence[ExportedModel], folder: Path) -> ExportPlan:
    """Where everything would go. Raises UsageError for a folder that holds something else already."""
    _check_destination(folder)
    folders: dict[str, str] = {}
    copies: dict[str, tuple[Copy, ...]] = {}
    for exported in sorted(models, key=lambda exported: exported.model.name):
        model = exported.model
        _check_paths(model)
        folders[model.name] = folder_name(model.name)
        place = folder / folders[model.name]
        copies[model.name] = tuple(
            Copy(source=exported.sources[file.path], destination=place / file.path, file=file) for file in model.files
        )
    return ExportPlan(
        folder=folder, lock=Lock(tuple(exported.model for exported in models)), folders=folders, copies=copies
    )


def export_models(plan: ExportPlan, *, report: Report = _silent) -> Lock:
    """Write the folder and return its lock, which tells the SHA-256 of every file.

    Models that an earlier export left there stay, and stay in the lock. Raises Corrupt when a file here is not what its
    hash says: a broken model is not carried on. The lock is written last.
    """
    carried = {model.name: model for model in _earlier(plan.folder)}
    for model in plan.lock.models:
        place = plan.folder / plan.folders[model.name]
        files = _copy_whole(plan.copies[model.name], place, report)
        carried[model.name] = _with_files(model, files)
    lock = Lock(tuple(carried.values()))
    write_lock(lock, plan.folder / LOCK_NAME)
    return lock


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedModel:
    """A model found in a carried-over folder, every byte of it as its lock says."""

    model: LockedModel
    sources: Mapping[str, Path]


def read_carried(folder: Path, *, names: Iterable[str] | None = None) -> tuple[ImportedModel, ...]:
    """The models in `folder`, or those `names` of them, found by content and checked.

    Raises NotFound for a name that is not in the lock, Corrupt when files are missing or wrong, InvalidFile when the
    lock is bad.
    """
    lock_path = folder / LOCK_NAME
    if not lock_path.is_file():
        raise InvalidFile(
            f"{folder} holds no {LOCK_NAME}.", hint="Name a folder that `paddock export` wrote, or use `paddock sync`."
        )
    lock = _chosen(read_lock(lock_path), names)
    matches = find_in_folder(folder, lock)
    for model in lock.models:
        if not matches.is_complete(model.name):
            lacking = matches.missing.get(model.name, ())
            broken = matches.wrong.get(model.name, ())
            what = f"`{broken[0]}` is damaged" if broken else f"`{lacking[0]}` is missing"
            raise Corrupt(
                f"`{model.name}` is not whole in {folder}: {what}.", hint="Copy the folder again from its origin."
            )
    return tuple(ImportedModel(model=model, sources=matches.found[model.name]) for model in lock.models)


def content_keys(model: LockedModel) -> dict[str, str]:
    """What the place of its kind calls each file's content, so that a later pull finds it there.

    The hub's cache knows small files by their git id and large ones by their SHA-256; our own store shares by digest.
    """
    if model.source is SourceKind.HUGGINGFACE:
        return {file.path: file.git_oid or file.sha256 or "" for file in model.files}
    return {file.path: f"sha256:{file.sha256}" if file.sha256 else str(file.git_oid) for file in model.files}


def import_model(
    imported: ImportedModel, placement: Placement, *, keys: Mapping[str, str] | None = None, report: Report = _silent
) -> Path:
    """Copy one model to where `placement` keeps its kind, hashing on the way, and return its folder.

    `keys` names the content of each file as `placement` does. Content that is here already is not copied again. Raises
    Corrupt, and publishes nothing, when bytes are wrong; InUse when somebody else is fetching the same model.
    """
    _check_paths(imported.model)
    keys = keys or content_keys(imported.model)
    with placement.lock():
        for file in imported.model.files:
            key = keys[file.path]
            if not placement.holds(file.path, key, file.size):
                partial = placement.partial(key)
                copy_checked(Copy(source=imported.sources[file.path], destination=partial, file=file), report)
            placement.keep(file.path, key)
        return placement.finish()


def copy_checked(copy: Copy, report: Report = _silent) -> FileEntry:
    """Copy one file and return it with its SHA-256; what arrived and is wrong is deleted.

    Raises Corrupt when size or hash are not what they must be, StorageError when the disk refuses.
    """
    try:
        return _copied(copy, report)
    except OSError as error:
        _forget(copy.destination)
        raise StorageError(
            f"{copy.source} cannot be copied to {copy.destination}: {error.strerror or error}.",
            hint="Check that both disks are there and have room.",
        ) from error
    except BaseException:
        _forget(copy.destination)
        raise


def _forget(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _copied(copy: Copy, report: Report) -> FileEntry:
    file, read = copy.file, 0
    sha256, git_oid = sha256_hasher(), git_blob_hasher(file.size)
    copy.destination.parent.mkdir(parents=True, exist_ok=True)
    with copy.source.open("rb") as source, copy.destination.open("wb") as destination:
        while chunk := source.read(CHUNK_BYTES):
            read += len(chunk)
            if read > file.size:
                break
            sha256.update(chunk)
            git_oid.update(chunk)
            destination.write(chunk)
            report(len(chunk))
    arrived = FileEntry(path=file.path, size=read, sha256=sha256.hexdigest(), git_oid=git_oid.hexdigest())
    if arrived.differs_from(file):
        raise Corrupt(
            f"{copy.source} is not the `{file.path}` that it should be: its content does not match its checksum.",
            hint="Run `paddock verify` where the model comes from, then copy it again.",
        )
    return arrived


def _copy_whole(copies: Sequence[Copy], place: Path, report: Report) -> list[FileEntry]:
    """All files of one model, built beside `place` and moved there in one step."""
    room = place.with_name(f".{place.name}.partial")
    shutil.rmtree(room, ignore_errors=True)
    try:
        files = [
            copy_checked(Copy(source=copy.source, destination=room / copy.file.path, file=copy.file), report)
            for copy in copies
        ]
        if place.exists():
            shutil.rmtree(place)
        room.rename(place)
    except OSError as error:
        raise StorageError(
            f"{place} cannot be written: {error.strerror or error}.", hint="Check the folder's permissions."
        ) from error
    finally:
        shutil.rmtree(room, ignore_errors=True)
    return files


def _check_destination(folder: Path) -> None:
    try:
        foreign = folder.exists() and not (folder / LOCK_NAME).is_file() and (folder.is_file() or any(folder.iterdir()))
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be read: {error.strerror or error}.", hint="Check the folder's permissions."
        ) from error
    if foreign:
        raise UsageError(
            f"{folder} holds other files already.", hint="Name a new or empty folder, or an earlier export."
        )


def _earlier(folder: Path) -> tuple[LockedModel, ...]:
    path = folder / LOCK_NAME
    return read_lock(path).models if path.is_file() else ()


def _chosen(lock: Lock, names: Iterable[str] | None) -> Lock:
    if names is None:
        return lock
    listed = {model.name: model for model in lock.models}
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in listed:
            raise NotFound(
                f"`{name}` is not in the folder's {LOCK_NAME}.",
                hint=f"It holds {', '.join(f'`{known}`' for known in list(listed)[:10]) or 'no model'}.",
            )
    return Lock(tuple(listed[name] for name in wanted))


def _with_files(model: LockedModel, files: Iterable[FileEntry]) -> LockedModel:
    """The model with what was read on copying: every file's SHA-256, and git ids where they were known."""
    known = {file.path: file for file in model.files}
    return LockedModel(
        name=model.name,
        reference=model.reference,
        revision=model.revision,
        source=model.source,
        format=model.format,
        files=tuple(
            FileEntry(path=file.path, size=file.size, sha256=file.sha256, git_oid=known[file.path].git_oid)
            for file in files
        ),
    )


def _check_paths(model: LockedModel) -> None:
    for file in model.files:
        if not is_safe_path(file.path):
            raise InvalidFile(
                f"`{model.name}` names a file outside of its folder: {file.path[:120]!r}.",
                hint="Nothing was copied. Fetch the model anew from its source.",
            )
