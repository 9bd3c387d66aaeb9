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

import hashlib
import re
import secrets
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from paddock.errors import NotFound, StorageError
from paddock.store.disk import NO_LINKS, Disk, cannot_keep
from paddock.store.locking import hold
from paddock.store.names import check_file_paths, folder_name

MANIFEST = ".paddock.json"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class StoredFile(msgspec.Struct, frozen=True):
    path: str
    key: str
    size: int


class Manifest(msgspec.Struct, frozen=True):
    """What one revision of one model consists of, kept with it."""

    name: str
    revision: str
    files: tuple[StoredFile, ...]


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
        self._disk = disk or Disk()

    def placement(self, name: str, revision: str, files: Mapping[str, str]) -> "StorePlacement":
        """Where a pull of `files` (paths and their keys) lands. Keys of the form `sha256:…` are shared by models."""
        return StorePlacement(self, name, revision, files, disk=self._disk)

    def folder(self, name: str, revision: str) -> Path:
        """Where this revision is, or would be."""
        return self.root / "models" / folder_name(name) / folder_name(revision)

    def parts(self, name: str, revision: str) -> Path:
        return self.root / "parts" / folder_name(name) / folder_name(revision)

    def blob(self, name: str, revision: str, key: str) -> Path:
        """Where content is kept. Only a digest names the same content for everyone."""
        if _DIGEST.fullmatch(key):
            return self.root / "blobs" / key.replace(":", "-")
        scoped = hashlib.sha256("\0".join([name, revision, key]).encode("utf-8", "surrogatepass")).hexdigest()
        return self.root / "blobs" / f"own-{scoped}"

    @contextmanager
    def lock(self, name: str, revision: str, *, what: str) -> Generator[None]:
        with hold(self.root / "locks" / f"{folder_name(name)}.{folder_name(revision)}.lock", what=what):
            yield

    def manifests(self) -> list[Manifest]:
        """Every revision that is here."""
        return [manifest for folder in self._folders() if (manifest := read_manifest(folder)) is not None]

    def removable_bytes(self, name: str, revision: str) -> int:
        """What removing the revision would free: content that nobody else links to."""
        folder = self.folder(name, revision)
        stats = [path.stat() for path in _files_below(folder)]
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
        with self.lock(name, revision, what=f"`{name}` is being pulled"):
            if not folder.is_dir():
                raise NotFound(f"`{name}` is not in the store.", hint="`paddock list` shows what is here.")
            with self._told(name):
                freed = self.removable_bytes(name, revision)
                trash = self.root / "trash" / secrets.token_hex(8)
                self._disk.make_folder(trash.parent)
                self._disk.rename(folder, trash)
                self._empty(trash)
                self._remove_if_empty(folder.parent)
        return freed

    def sweep(self) -> int:
        """Delete blobs that no model links to and what cut-off removals left. Returns the bytes freed."""
        with self._told("The store"):
            before = self.usage().unused_bytes
            for trash in _entries(self.root / "trash"):
                self._empty(trash)
            for blob in _entries(self.root / "blobs"):
                self.drop(blob)
            return max(0, before - self.usage().unused_bytes)

    def usage(self) -> Usage:
        seen: set[int] = set()

        def size_of(folder: Path) -> int:
            total = 0
            for path in _files_below(folder):
                stat = path.stat()
                if stat.st_ino not in seen:
                    seen.add(stat.st_ino)
                    total += stat.st_size
            return total

        return Usage(
            models_bytes=size_of(self.root / "models"),
            parts_bytes=size_of(self.root / "parts"),
            unused_bytes=size_of(self.root / "trash") + size_of(self.root / "blobs"),
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
        found += [
            Problem(ProblemKind.UNUSED, blob) for blob in _entries(self.root / "blobs") if blob.stat().st_nlink == 1
        ]
        found += [Problem(ProblemKind.UNFINISHED, trash) for trash in _entries(self.root / "trash")]
        return found

    def stray_parts(self) -> list[Part]:
        """What pulls that did not end left: the library knows which of them will be resumed."""
        return [
            Part(path, path.stat().st_size, path.stat().st_mtime)
            for path in _files_below(self.root / "parts")
            if path.suffix == ".partial"
        ]

    def _folders(self) -> list[Path]:
        return [revision for model in _entries(self.root / "models") for revision in _entries(model)]

    def _blobs_of(self, folder: Path) -> list[Path]:
        """The blobs that a revision's manifest names."""
        manifest = read_manifest(folder)
        if manifest is None:
            return []
        return [self.blob(manifest.name, manifest.revision, file.key) for file in manifest.files]

    def _empty(self, trash: Path) -> None:
        """Delete what was a revision: its links first, then the blobs that this leaves alone."""
        blobs = self._blobs_of(trash)
        for entry in _entries(trash):
            if entry.name != MANIFEST:  # it goes last: a removal that is cut off still knows its blobs
                self._disk.remove_tree(entry)
        for blob in blobs:
            self.drop(blob)
        self._disk.remove_tree(trash)

    def drop(self, blob: Path) -> None:
        """Delete a blob unless a model or a running pull links to it."""
        try:
            alone = blob.stat().st_nlink == 1
        except FileNotFoundError:
            return
        if alone:
            self._disk.remove(blob)

    def _remove_if_empty(self, folder: Path) -> None:
        if folder.is_dir() and not any(folder.iterdir()):
            self._disk.remove_folder(folder)

    @contextmanager
    def _told(self, name: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_keep(name, self.root, error) from error


class StorePlacement:
    """Where one revision of one model lands. Implements `Placement`."""

    def __init__(self, store: ModelStore, name: str, revision: str, files: Mapping[str, str], *, disk: Disk) -> None:
        check_file_paths(files, of=name)
        self.root = store.root
        self._store = store
        self._name = name
        self._revision = revision
        self._files = dict(files)
        self._disk = disk
        self._folder = store.folder(name, revision)
        self._parts = store.parts(name, revision)
        self._staged = self._parts / "files"

    def final(self, path: str) -> Path:
        return self._folder / path

    def holds(self, path: str, key: str, size: int | None) -> bool:
        places = (self._blob(key), self._staged / path, self._folder / path)
        return any(place.is_file() and (size is None or place.stat().st_size == size) for place in places)

    def partial(self, key: str) -> Path:
        return self._parts / f"{self._blob(key).name}.partial"

    def keep(self, path: str, key: str) -> None:
        """The content gets its name among the blobs and a link where the revision is put together.

        Both links are there before the partial goes, so at no time does a sweep find the content unused.
        """
        with self._told():
            partial, blob, staged = self.partial(key), self._blob(key), self._staged / path
            self._disk.make_folder(blob.parent)
            self._disk.make_folder(staged.parent)
            if not blob.exists() and partial.exists() and not self._link(partial, blob):
                self._disk.rename(partial, staged)  # a file system without links shares nothing
                return
            if not staged.exists() and blob.exists():
                self._link(blob, staged)
            if not staged.exists() and not self.final(path).is_file():
                raise StorageError(
                    f"`{path}` of `{self._name}` disappeared from the store while it was being pulled.",
                    hint="Pull the model again.",
                )
            self._disk.sync_folder(staged.parent)
            self._disk.remove(partial)

    def finish(self) -> Path:
        with self._told():
            for path, key in self._files.items():
                self.keep(path, key)
            self._disk.write(self._staged / MANIFEST, self._manifest())
            if self._folder.exists():
                self._merge()
            else:
                self._drop_strangers()
                self._disk.make_folder(self._folder.parent)
                self._disk.rename(self._staged, self._folder)
            self._disk.sync_folder(self._folder.parent)
            self._clean()
        return self._folder

    def discard(self) -> None:
        with self._told():
            self._clean()
            for key in self._files.values():
                self._store.drop(self._blob(key))

    @contextmanager
    def lock(self) -> Generator[None]:
        with self._store.lock(self._name, self._revision, what=f"`{self._name}` is being pulled"):
            with self._told():
                self._disk.make_folder(self._parts)
            yield

    def _blob(self, key: str) -> Path:
        return self._store.blob(self._name, self._revision, key)

    def _link(self, source: Path, target: Path) -> bool:
        """False where there are no hard links."""
        try:
            self._disk.link(source, target)
        except FileExistsError:
            return True  # another pull of the same content was first
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            return False
        return True

    def _manifest(self) -> str:
        """The files of this pull, and those that an earlier one put there."""
        before = read_manifest(self._folder)
        files = {file.path: file for file in before.files} if before is not None else {}
        for path, key in self._files.items():
            place = self._staged / path if (self._staged / path).exists() else self.final(path)
            files[path] = StoredFile(path, key, place.stat().st_size)
        manifest = Manifest(self._name, self._revision, tuple(files[path] for path in sorted(files)))
        return msgspec.json.encode(manifest).decode()

    def _drop_strangers(self) -> None:
        """What an earlier pull of this revision had put together and this one does not want."""
        wanted = {self._staged / path for path in (*self._files, MANIFEST)}
        for path in _files_below(self._staged):
            if path not in wanted:
                self._disk.remove(path)

    def _merge(self) -> None:
        """Into a revision that is there: each file by a rename, the manifest last."""
        for path in self._files:
            if (self._staged / path).exists():
                self._disk.make_folder(self.final(path).parent)
                self._disk.rename(self._staged / path, self.final(path))
        self._disk.rename(self._staged / MANIFEST, self._folder / MANIFEST)

    def _clean(self) -> None:
        self._disk.remove_tree(self._parts)
        if self._parts.parent.is_dir() and not any(self._parts.parent.iterdir()):
            self._disk.remove_folder(self._parts.parent)

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_keep(self._name, self.root, error) from error


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a revision's folder; None when it is missing or damaged."""
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return None


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _files_below(folder: Path) -> list[Path]:
    """Every file below, links not followed."""
    found: list[Path] = []
    for entry in _entries(folder):
        if entry.is_symlink():
            continue
        found += _files_below(entry) if entry.is_dir() else [entry]
    return found
