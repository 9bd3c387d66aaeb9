"""`models.lock`: exactly which models, in which revision, with which bytes; and what a machine lacks to be the same.

version = 1

[[model]]
name = "org/name"
reference = "org/name@4f0c…"
revision = "4f0c…"
source = "huggingface"
format = "mlx"
files = [
  { path = "config.json", size = 684, git_oid = "…" },
  { path = "model.safetensors", size = 11816904, sha256 = "…" },
]
"""

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paddock.errors import InvalidReference, StorageError
from paddock.hub.reference import parse_reference
from paddock.library.carry.inventory import Document, FileEntry, files_below, hash_file, quoted, written_files
from paddock.vocabulary import ModelFormat, SourceKind

LOCK_NAME = "models.lock"
VERSION = 1
MODELS_MAX = 10_000
_HEADER = (
    "# The models of this project, to the byte. Written by `paddock lock`; do not edit.",
    "# `paddock sync` fetches what is missing, `paddock sync --frozen` insists that nothing differs.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedModel:
    """One model, to the byte. The same shape tells what is installed."""

    name: str
    reference: str
    revision: str | None
    source: SourceKind
    format: ModelFormat
    files: tuple[FileEntry, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Lock:
    """Models in order of name."""

    models: tuple[LockedModel, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", tuple(sorted(self.models, key=lambda model: model.name)))


def write_lock(lock: Lock, path: Path) -> None:
    """Write `lock` to `path` at once: whoever reads it meanwhile sees the old one or the new one."""
    write_text(path, format_lock(lock))


def format_lock(lock: Lock) -> str:
    """The same lock always gives the same text, whatever the order its models and files came in."""
    lines = [*_HEADER, f"version = {VERSION}"]
    for model in lock.models:
        lines += ["", "[[model]]", f"name = {quoted(model.name)}", f"reference = {quoted(model.reference)}"]
        if model.revision:
            lines.append(f"revision = {quoted(model.revision)}")
        lines += [f"source = {quoted(model.source)}", f"format = {quoted(model.format)}"]
        lines += written_files(model.files)
    return "\n".join(lines) + "\n"


def read_lock(path: Path) -> Lock:
    """The lock at `path`. Raises InvalidFile, with the line where it can be told, or StorageError."""
    document = Document(path, kind="models.lock", hint="Write it anew with `paddock lock`.")
    version: object = document.content.get("version")
    if version != VERSION or isinstance(version, bool):
        raise document.wrong(f"its version is {version!r}, this Paddock reads version {VERSION}", near="version")
    models: dict[str, LockedModel] = {}
    for table in document.tables("model", count_max=MODELS_MAX):
        model = _model(document, table)
        if model.name in models:
            raise document.wrong(f"`{model.name}` is listed twice", near=quoted(model.name))
        models[model.name] = model
    return Lock(tuple(models.values()))


def _model(document: Document, table: Mapping[str, Any]) -> LockedModel:
    name = document.text(table, "name", length_max=512)
    reference = document.text(table, "reference")
    try:
        parse_reference(reference)
        source = SourceKind(document.text(table, "source"))
        model_format = ModelFormat(document.text(table, "format"))
    except (InvalidReference, ValueError) as error:
        raise document.wrong(f"`{name}`: {error}", near=quoted(name)) from error
    if not name:
        raise document.wrong("a model without a name")
    return LockedModel(
        name=name,
        reference=reference,
        revision=document.text(table, "revision", default="", length_max=256) or None,
        source=source,
        format=model_format,
        files=document.files(table),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CorruptModel:
    """A model whose revision is right and whose files are not."""

    model: LockedModel  # as locked
    paths: tuple[str, ...]  # missing, of another size, or of other content


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What stands between a machine and its lock."""

    missing: tuple[LockedModel, ...]
    different: tuple[tuple[LockedModel, LockedModel], ...]  # locked, installed
    corrupt: tuple[CorruptModel, ...]
    extra: tuple[LockedModel, ...]

    @property
    def is_same(self) -> bool:
        """True when every locked model is here to the byte. Models beyond the lock do no harm."""
        return not (self.missing or self.different or self.corrupt)

    @property
    def to_fetch(self) -> tuple[LockedModel, ...]:
        """What `sync` has to get, as locked."""
        return self.missing + tuple(locked for locked, _ in self.different) + tuple(bad.model for bad in self.corrupt)


def compare(lock: Lock, installed: Iterable[LockedModel]) -> Differences:
    """Names are matched first, then revisions, then files: sizes always, hashes where both sides tell them."""
    here = {model.name: model for model in installed}
    locked_names = {model.name for model in lock.models}
    missing: list[LockedModel] = []
    different: list[tuple[LockedModel, LockedModel]] = []
    corrupt: list[CorruptModel] = []
    for locked in lock.models:
        found = here.get(locked.name)
        if found is None:
            missing.append(locked)
        elif found.revision != locked.revision:
            different.append((locked, found))
        elif paths := _differing_paths(locked, found):
            corrupt.append(CorruptModel(model=locked, paths=paths))
    return Differences(
        missing=tuple(missing),
        different=tuple(different),
        corrupt=tuple(corrupt),
        extra=tuple(model for name, model in sorted(here.items()) if name not in locked_names),
    )


def _differing_paths(locked: LockedModel, found: LockedModel) -> tuple[str, ...]:
    files = {file.path: file for file in found.files}
    return tuple(
        file.path for file in locked.files if (here := files.get(file.path)) is None or here.differs_from(file)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One file to be copied, and what must arrive."""

    source: Path
    destination: Path
    file: FileEntry


@dataclass(frozen=True, slots=True)
class Matches:
    """Which locked files a carried-over folder holds: by model, then by path."""

    found: Mapping[str, Mapping[str, Path]]
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    wrong: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])  # named alike, other bytes

    def is_complete(self, name: str) -> bool:
        return name in self.found and name not in self.missing

    def copies(self, model: LockedModel, destination: Path) -> tuple[Copy, ...]:
        """What to copy so that `model` lies at `destination`; nothing while a file of it is missing."""
        if not self.is_complete(model.name):
            return ()
        sources = self.found[model.name]
        return tuple(
            Copy(source=sources[file.path], destination=destination / file.path, file=file) for file in model.files
        )


def find_in_folder(folder: Path, lock: Lock, *, hash_of: Callable[[Path], FileEntry] = hash_file) -> Matches:
    """Look for the locked files below `folder`, wherever and under whatever name they lie there.

    Sizes narrow the search, names order it, hashes decide. Each file is hashed at most once. Links are not followed.
    """
    by_size: dict[int, list[str]] = {}
    try:
        names = list(files_below(folder))
        for name in names:
            by_size.setdefault((folder / name).stat().st_size, []).append(name)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be read: {error.strerror or error}.", hint="Check the folder's permissions."
        ) from error
    hashed: dict[str, FileEntry] = {}

    def same(name: str, file: FileEntry) -> bool:
        if name not in hashed:
            hashed[name] = hash_of(folder / name)
        return not hashed[name].differs_from(file)

    found: dict[str, dict[str, Path]] = {}
    missing: dict[str, tuple[str, ...]] = {}
    wrong: dict[str, tuple[str, ...]] = {}
    for model in lock.models:
        matched: dict[str, str] = {}
        for file in model.files:
            likely = sorted(by_size.get(file.size, ()), key=lambda name: (-_shared_tail(name, file.path), name))
            match = next((name for name in likely if same(name, file)), None)
            if match is not None:
                matched[file.path] = match
        found[model.name] = {path: folder / name for path, name in matched.items()}
        if lacking := tuple(file.path for file in model.files if file.path not in matched):
            missing[model.name] = lacking
            wrong[model.name] = _beside(matched, lacking, names)
    return Matches(found, missing, {name: paths for name, paths in wrong.items() if paths})


def _beside(matched: Mapping[str, str], lacking: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """The lacking files that do lie beside the matched ones, under their own names, with other bytes."""
    folders = {name.removesuffix(path) for path, name in matched.items() if name.endswith(path)}
    present = set(names)
    return tuple(path for path in lacking if any(folder + path in present for folder in folders))


def write_text(path: Path, text: str) -> None:
    """Replace the file at `path` in one step. Raises StorageError."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}.", hint="Check the folder's permissions and the disk."
        ) from error


def _shared_tail(name: str, path: str) -> int:
    """How many trailing parts of two paths agree."""
    count = 0
    for one, other in zip(reversed(name.split("/")), reversed(path.split("/")), strict=False):
        if one != other:
            break
        count += 1
    return count
