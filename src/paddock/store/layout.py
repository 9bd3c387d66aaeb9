"""Paddock's own store: models that come from anywhere but the Hugging Face hub, whose cache keeps its own.

    store/
      blobs/<key>                                  content by hash, shared by models
      models/<model>/<revision>/<path>             hard links to blobs, and `.paddock.json`, which lists them
      parts/<model>/<revision>/<key>.partial       content that still grows
      parts/<model>/<revision>/files/<path>        a revision being put together
      trash/<random>/                              a revision being deleted
      locks/<model>.<revision>.lock

A blob that nothing else links to has a link count of one, so nobody has to count. Every step leaves the store whole: a
revision appears by one rename, with all its files, and disappears by one rename before anything of it is deleted.
"""

import secrets
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from paddock.errors import NotFound
from paddock.store.disk import Disk, cannot_keep
from paddock.store.locking import hold
from paddock.store.model_placement import StorePlacement, drop_unused
from paddock.store.store_paths import MANIFEST, Manifest, StoredFile, StorePaths, entries, files_below, read_manifest

__all__ = [
    "MANIFEST",
    "Manifest",
    "ModelStore",
    "Part",
    "Problem",
    "ProblemKind",
    "StorePlacement",
    "StoredFile",
    "Usage",
]


class ProblemKind(StrEnum):
    MISSING = "missing"  # a file of a model
    WRONG_SIZE = "wrong_size"
    UNREADABLE = "unreadable"  # a manifest
    UNUSED = "unused"  # a blob that no model links to
    UNFINISHED = "unfinished"  # a removal that was cut off


@dataclass(frozen=True, slots=True)
class Problem:
    kind: ProblemKind
    path: Path
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes on disk; content that models share is counted once."""

    models_bytes: int
    parts_bytes: int
    unused_bytes: int  # blobs without a model, remains of removals


@dataclass(frozen=True, slots=True)
class Part:
    """What an unfinished pull left."""

    path: Path
    size: int
    modified_at: float


class ModelStore:
    """The store as a whole. Any number of processes may use one."""

    def __init__(self, root: Path, *, disk: Disk | None = None) -> None:
        self.root = root
        self._paths = StorePaths(root)
        self._disk = disk or Disk()

    def placement(self, name: str, revision: str, files: Mapping[str, str]) -> StorePlacement:
        """Where a pull of `files` (paths and their keys) lands. Keys of the form `sha256:…` are shared by models."""
        return StorePlacement(self._paths, name, revision, files, disk=self._disk)

    def folder(self, name: str, revision: str) -> Path:
        """Where this revision is, or would be."""
        return self._paths.folder(name, revision)

    def blob(self, name: str, revision: str, key: str) -> Path:
        """Where this content lies, or would lie, among the blobs."""
        return self._paths.blob(name, revision, key)

    def manifests(self) -> list[Manifest]:
        """Every revision that is here."""
        return [manifest for folder in self._folders() if (manifest := read_manifest(folder)) is not None]

    def removable_bytes(self, name: str, revision: str) -> int:
        """What removing the revision would free: content that nobody else links to."""
        folder = self.folder(name, revision)
        stats = [path.stat() for path in files_below(folder)]
        inside = Counter(stat.st_ino for stat in stats)
        blobs = {blob.stat().st_ino for blob in self._blobs_of(folder) if blob.exists()}
        return sum(
            stat.st_size
            for stat in {stat.st_ino: stat for stat in stats}.values()
            if stat.st_nlink == inside[stat.st_ino] + (stat.st_ino in blobs)
        )

    def remove(self, name: str, revision: str) -> int:
        """Delete one revision and the content that only it used. Returns the bytes freed.

        Raises NotFound, and InUse while it is being pulled.
        """
        folder = self.folder(name, revision)
        with hold(self._paths.lock(name, revision), what=f"`{name}` is being pulled"):
            if not folder.is_dir():
                raise NotFound(f"`{name}` is not in the store.", hint="`paddock list` shows what is here.")
            with self._told(name):
                freed = self.removable_bytes(name, revision)
                trash = self._paths.trash / secrets.token_hex(8)
                self._disk.make_folder(trash.parent)
                self._disk.rename(folder, trash)
                self._empty(trash)
                self._remove_if_empty(folder.parent)
        return freed

    def sweep(self) -> int:
        """Delete blobs that no model links to and what cut-off removals left. Returns the bytes freed."""
        with self._told("The store"):
            before = self.usage().unused_bytes
            for trash in entries(self._paths.trash):
                self._empty(trash)
            for blob in entries(self._paths.blobs):
                drop_unused(blob, self._disk)
            return max(0, before - self.usage().unused_bytes)

    def usage(self) -> Usage:
        seen: set[int] = set()

        def size_of(folder: Path) -> int:
            total = 0
            for path in files_below(folder):
                stat = path.stat()
                if stat.st_ino not in seen:
                    seen.add(stat.st_ino)
                    total += stat.st_size
            return total

        return Usage(
            models_bytes=size_of(self._paths.models),
            parts_bytes=size_of(self._paths.all_parts),
            unused_bytes=size_of(self._paths.trash) + size_of(self._paths.blobs),
        )

    def problems(self) -> list[Problem]:
        """What is wrong with the store, without reading contents: those are `verify`'s to hash."""
        found: list[Problem] = []
        for folder in self._folders():
            manifest = read_manifest(folder)
            if manifest is None:
                found.append(Problem(ProblemKind.UNREADABLE, folder / MANIFEST))
                continue
            for file in manifest.files:
                path = folder / file.path
                if not path.is_file():
                    found.append(Problem(ProblemKind.MISSING, path, manifest.name))
                elif path.stat().st_size != file.size:
                    found.append(Problem(ProblemKind.WRONG_SIZE, path, manifest.name))
        found += [Problem(ProblemKind.UNUSED, blob) for blob in entries(self._paths.blobs) if blob.stat().st_nlink == 1]
        found += [Problem(ProblemKind.UNFINISHED, trash) for trash in entries(self._paths.trash)]
        return found

    def stray_parts(self) -> list[Part]:
        """What pulls that did not end left: the library knows which of them will be resumed."""
        return [
            Part(path, path.stat().st_size, path.stat().st_mtime)
            for path in files_below(self._paths.all_parts)
            if path.suffix == ".partial"
        ]

    def _folders(self) -> list[Path]:
        return [revision for model in entries(self._paths.models) for revision in entries(model)]

    def _blobs_of(self, folder: Path) -> list[Path]:
        """The blobs that a revision's manifest names."""
        manifest = read_manifest(folder)
        if manifest is None:
            return []
        return [self._paths.blob(manifest.name, manifest.revision, file.key) for file in manifest.files]

    def _empty(self, trash: Path) -> None:
        """Delete what was a revision: its links first, then the blobs that this leaves alone."""
        blobs = self._blobs_of(trash)
        for entry in entries(trash):
            if entry.name != MANIFEST:  # it goes last: a removal that is cut off still knows its blobs
                self._disk.remove_tree(entry)
        for blob in blobs:
            drop_unused(blob, self._disk)
        self._disk.remove_tree(trash)

    def _remove_if_empty(self, folder: Path) -> None:
        if folder.is_dir() and not any(folder.iterdir()):
            self._disk.remove_folder(folder)

    @contextmanager
    def _told(self, name: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_keep(name, self.root, error) from error
