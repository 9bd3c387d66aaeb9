"""Hugging Face's own cache as a place for models, so that no other tool needs a second copy.

    models--org--name/
      blobs/<etag>                        content, shared by the revisions of this repository
      blobs/<etag>.paddock-<tag>          content that still grows; no tool but us looks at it
      snapshots/<commit>/<path>  ───────► ../../blobs/<etag>
      refs/<branch>                       holds <commit>
      .paddock-<tag>/                     a snapshot being put together
    .locks/models--org--name/             the library's lock a blob, and ours a pull

A snapshot appears whole, by one rename, after all its blobs are checked; only then its branch points to it. Deleting is
left to the library, which knows what revisions share.
"""

import hashlib
import re
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import Timeout

from paddock.errors import NotFound, StorageError
from paddock.store.disk import NO_LINKS, Disk, cannot_keep
from paddock.store.locking import hold
from paddock.store.names import check_file_path

if TYPE_CHECKING:
    from huggingface_hub import HFCacheInfo
    from huggingface_hub.utils import DeleteCacheStrategy

_COMMIT = re.compile(r"[0-9a-f]{40}")
_ETAG = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)?")
_CACHE_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This file is a cache directory tag created by huggingface_hub.\n"
    "# For information about cache directory tags, see:\n"
    "#\thttps://bford.info/cachedir/\n"
)
_BLOB_LOCK_WAIT_S = 10.0


def repo_folder(cache_dir: Path, repo_id: str) -> Path:
    """Where the cache keeps a model repository."""
    if not _REPO.fullmatch(repo_id) or ".." in repo_id or "--" in repo_id:
        raise StorageError(f"`{repo_id}` is no name of a repository.", hint="Write `org/name`.")
    return cache_dir / "--".join(["models", *repo_id.split("/")])


def pull_tag(commit: str, paths: Iterable[str]) -> str:
    """Marks the parts of one pull: pulls of other files of the same commit have their own, and cannot write into them."""
    return hashlib.sha256("\0".join([commit, *sorted(paths)]).encode()).hexdigest()[:12]


class HubCachePlacement:
    """Where one commit of one Hugging Face repository lands. Implements `Placement`."""

    def __init__(
        self,
        cache_dir: Path,
        *,
        repo_id: str,
        commit: str,
        files: Mapping[str, str],
        ref: str | None = None,
        disk: Disk | None = None,
    ) -> None:
        """`files` are the paths of the pull and their keys (ETags); `finish` publishes exactly these. `ref` is the
        branch or tag that was asked for, None when it was the commit itself."""
        self.root = cache_dir
        self._folder = repo_folder(cache_dir, repo_id)
        self._repo_id = repo_id
        if not _COMMIT.fullmatch(commit):
            raise StorageError(f"`{commit}` is no commit of `{repo_id}`.", hint="Check the address of the hub.")
        for path, key in files.items():
            check_file_path(path, of=repo_id)
            _check_key(key)
        self._commit = commit
        self._files = dict(files)
        self._ref = ref if ref and ref != commit else None
        if self._ref is not None:
            check_file_path(self._ref, of=repo_id)
        self._disk = disk or Disk()
        self._tag = pull_tag(commit, files)
        self._locks = cache_dir / ".locks" / self._folder.name

    @property
    def folder(self) -> Path:
        """The snapshot: where the model is once `finish` returned."""
        return self._folder / "snapshots" / self._commit

    def final(self, path: str) -> Path:
        return self.folder / path

    def holds(self, path: str, key: str, size: int | None) -> bool:
        return any(_is_whole(place, size) for place in (self._blob(key), self.final(path)))

    def partial(self, key: str) -> Path:
        return self._folder / "blobs" / f"{_check_key(key)}.paddock-{self._tag}"

    def keep(self, path: str, key: str) -> None:
        from huggingface_hub.utils import WeakFileLock

        if not self.partial(key).exists() and (self._blob(key).exists() or self.final(path).exists()):
            return
        with _told(self._repo_id, self.root):
            lock = self._locks / f"{key}.lock"
            self._disk.make_folder(lock.parent)
            try:
                with WeakFileLock(lock, timeout=_BLOB_LOCK_WAIT_S):
                    self._settle(path, key)
            except Timeout:
                # Another tool is still fetching this content. It will be the same, and a rename disturbs nobody.
                self._settle(path, key)

    def finish(self) -> Path:
        with _told(self._repo_id, self.root):
            self._publish()
            if self._ref is not None:
                self._point(self._ref)
            self._clean()
        return self.folder

    def discard(self) -> None:
        with _told(self._repo_id, self.root):
            self._clean()
            for folder in (self._folder / "blobs", self._folder / "snapshots", self._folder):
                if folder.is_dir() and not any(folder.iterdir()):
                    self._disk.remove_folder(folder)

    @contextmanager
    def lock(self) -> Generator[None]:
        with hold(self._locks / f"paddock-{self._tag}.lock", what=f"`{self._repo_id}` is being pulled"):
            with _told(self._repo_id, self.root):
                # The library's scan wants `snapshots` in every repository, even before there is one.
                self._disk.make_folder(self._folder / "snapshots")
                self._disk.make_folder(self._folder / "blobs")
                tag = self.root / "CACHEDIR.TAG"
                if not tag.exists():
                    self._disk.write(tag, _CACHE_TAG)
            yield

    def _blob(self, key: str) -> Path:
        return self._folder / "blobs" / _check_key(key)

    def _settle(self, path: str, key: str) -> None:
        """The partial becomes the blob, unless there is one."""
        partial, blob = self.partial(key), self._blob(key)
        if blob.exists():
            self._disk.remove(partial)
        elif partial.exists():
            self._disk.rename(partial, blob)
            self._disk.sync_folder(blob.parent)
        elif not self.final(path).exists():
            raise _vanished(path, self._repo_id)

    def _publish(self) -> None:
        """The snapshot's links: all at once when it is new, one by one into one that is there."""
        building = self._folder / f".paddock-{self._tag}"
        self._disk.remove_tree(building)
        staged = building / self._commit
        self._disk.make_folder(staged)
        fresh = not self.folder.exists()
        for path, key in sorted(self._files.items()):
            if _is_whole(self.final(path), None) and not self._blob(key).exists():
                continue  # a file system without links: the content is there itself
            if not self._blob(key).exists():
                raise _vanished(path, self._repo_id)
            target = "/".join([".."] * (path.count("/") + 2) + ["blobs", key])
            if fresh:
                self._place(target, staged / path, key)
            elif not _points_to(self.final(path), target):
                self._place(target, staged / "link", key)
                self._disk.make_folder(self.final(path).parent)
                self._disk.rename(staged / "link", self.final(path))
        if fresh:
            self._disk.make_folder(self.folder.parent)
            self._disk.rename(staged, self.folder)
        self._disk.sync_folder(self.folder.parent)

    def _place(self, target: str, path: Path, key: str) -> None:
        self._disk.make_folder(path.parent)
        try:
            self._disk.symlink(target, path)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            self._disk.rename(self._blob(key), path)  # as the library does where there are no links

    def _point(self, ref: str) -> None:
        """Let the branch name the commit, atomically. Written aside: whatever lies in `refs` is taken for a branch."""
        target = self._folder / "refs" / ref
        if target.is_file() and target.read_text(encoding="utf-8") == self._commit:
            return
        building = self._folder / f".paddock-{self._tag}"
        self._disk.make_folder(building)
        self._disk.make_folder(target.parent)
        self._disk.write(building / "ref", self._commit)
        self._disk.rename(building / "ref", target)

    def _clean(self) -> None:
        """No part of this pull is left, nor what was being put together."""
        self._disk.remove_tree(self._folder / f".paddock-{self._tag}")
        for part in sorted((self._folder / "blobs").glob(f"*.paddock-{self._tag}*")):
            self._disk.remove(part)


@dataclass(frozen=True, slots=True)
class Removal:
    """What removing a revision would do."""

    freed_bytes: int
    path: Path  # the snapshot that goes


def preview_removal(cache_dir: Path, repo_id: str, commit: str) -> Removal:
    """What `remove_revision` would free; content that other revisions share is not counted. Raises NotFound."""
    strategy, snapshot = _strategy(cache_dir, repo_id, commit)
    return Removal(strategy.expected_freed_size, snapshot)


def remove_revision(cache_dir: Path, repo_id: str, commit: str) -> int:
    """Delete one revision and what only it used, by the library's own plan. Returns the bytes freed.

    Raises NotFound, and InUse while this repository is being pulled.
    """
    with no_pull_of(cache_dir, repo_id):
        strategy, snapshot = _strategy(cache_dir, repo_id, commit)
        with _told(repo_id, cache_dir):
            strategy.execute()
    if snapshot.exists():
        raise StorageError(
            f"`{repo_id}` could not be deleted from `{cache_dir}`.", hint="Make the folder writable for this user."
        )
    return strategy.expected_freed_size


@contextmanager
def no_pull_of(cache_dir: Path, repo_id: str) -> Generator[None]:
    """Nothing of this repository is pulled within the block. Raises InUse when something is."""
    with ExitStack() as stack:
        for lock in sorted((cache_dir / ".locks" / repo_folder(cache_dir, repo_id).name).glob("paddock-*.lock")):
            stack.enter_context(hold(lock, what=f"`{repo_id}` is being pulled"))
        yield


def scan(cache_dir: Path) -> "HFCacheInfo | None":
    """The library's view of the whole cache; None when there is no cache yet."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        return scan_cache_dir(cache_dir)
    except CacheNotFound:
        return None


def _strategy(cache_dir: Path, repo_id: str, commit: str) -> "tuple[DeleteCacheStrategy, Path]":
    info = scan(cache_dir)
    for repo in info.repos if info is not None else ():
        if repo.repo_type != "model" or repo.repo_id != repo_id:
            continue
        for revision in repo.revisions:
            if revision.commit_hash == commit:
                # A copied repository has the same commits: let the library see no other one.
                assert info is not None
                only = replace(info, repos=frozenset({repo}))
                return only.delete_revisions(commit), revision.snapshot_path
    raise NotFound(f"`{repo_id}` at {commit[:12]} is not in `{cache_dir}`.", hint="`paddock list` shows what is here.")


def _is_whole(path: Path, size: int | None) -> bool:
    try:
        return path.is_file() and (size is None or path.stat().st_size == size)
    except OSError:
        return False


def _points_to(link: Path, target: str) -> bool:
    return link.is_symlink() and str(link.readlink()) == target


def _check_key(key: str) -> str:
    if not _ETAG.fullmatch(key):
        raise StorageError("The hub names a file's content in a way that is no hash.", hint="Check the hub's address.")
    return key


def _vanished(path: str, repo_id: str) -> StorageError:
    return StorageError(
        f"`{path}` of `{repo_id}` disappeared from the cache while it was being pulled.",
        hint="Another program cleaned the cache. Pull the model again.",
    )


@contextmanager
def _told(repo_id: str, cache_dir: Path) -> Generator[None]:
    """An OSError of the disk as an error that names the model and the remedy."""
    try:
        yield
    except OSError as error:
        raise cannot_keep(repo_id, cache_dir, error) from error
