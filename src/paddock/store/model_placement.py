"""One revision of one model on its way into Paddock's own store."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from paddock.errors import StorageError
from paddock.store.disk import NO_LINKS, Disk, cannot_keep
from paddock.store.locking import hold
from paddock.store.names import check_file_paths
from paddock.store.store_paths import MANIFEST, Manifest, StoredFile, StorePaths, files_below, read_manifest


class StorePlacement:
    """Where one revision of one model lands. Implements `Placement`."""

    def __init__(self, paths: StorePaths, name: str, revision: str, files: Mapping[str, str], *, disk: Disk) -> None:
        """`files` are the paths of the pull and their keys; `finish` publishes exactly these."""
        check_file_paths(files, of=name)
        self.root = paths.root
        self._paths = paths
        self._name = name
        self._revision = revision
        self._files = dict(files)
        self._disk = disk
        self._folder = paths.folder(name, revision)
        self._parts = paths.parts(name, revision)
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
                drop_unused(self._blob(key), self._disk)

    @contextmanager
    def lock(self) -> Generator[None]:
        with hold(self._paths.lock(self._name, self._revision), what=f"`{self._name}` is being pulled"):
            with self._told():
                self._disk.make_folder(self._parts)
            yield

    def _blob(self, key: str) -> Path:
        return self._paths.blob(self._name, self._revision, key)

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
        for path in files_below(self._staged):
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


def drop_unused(blob: Path, disk: Disk) -> None:
    """Delete a blob unless a model or a running pull links to it."""
    try:
        alone = blob.stat().st_nlink == 1
    except FileNotFoundError:
        return
    if alone:
        disk.remove(blob)
