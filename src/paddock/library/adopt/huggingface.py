"""The Hugging Face cache, as `huggingface_hub` lays it out.

    hub/
    ├── blobs/<2 hex>/<xet hash>                 the shared store, marked by .huggingface-shared-blobs
    └── models--org--name/
        ├── refs/main                            a commit
        ├── blobs/<etag>                         a file, or a link into the shared store
        ├── trees/<commit>.json                  what the revision holds at the hub
        └── snapshots/<commit>/config.json       a link to ../../blobs/<etag>, or the file itself

`org/name` is what `refs/main` points at, or the newest snapshot when it points at nothing usable (a pull that has not
written its ref yet). Other complete snapshots are offered as `org/name@branch` or `org/name@commit`.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ValidationError

from paddock.errors import InvalidReference
from paddock.hub.gguf_files import is_gguf
from paddock.hub.reference import parse_reference
from paddock.library.adopt.found import AdoptedFrom, FileRole, FoundFile, FoundModel, Note, PassedOver
from paddock.library.adopt.walking import FILES_MAX, found_file, is_inside, walk
from paddock.library.adopt.weights import (
    folder_weights,
    gguf_groups,
    missing_parts,
    projector_for,
    selectors,
)
from paddock.vocabulary import SourceKind

PREFIX = "models--"
REF_BYTES_MAX = 256
TREE_BYTES_MAX = 64 * 1024 * 1024
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT_OID = re.compile(r"[0-9a-f]{40}")
_SPELLABLE_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")


def find_in_huggingface_cache(
    cache: Path, notes: list[Note], tool: AdoptedFrom = AdoptedFrom.HUGGINGFACE
) -> Iterator[FoundModel]:
    """The models of `cache` (an absolute path without links), `org/name` first and its other revisions after it."""
    with os.scandir(cache) as entries:
        repositories = sorted(entry.name for entry in entries if entry.name.startswith(PREFIX))
    for folder in repositories:
        path = f"{cache}/{folder}"
        try:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                raise PassedOver("is a link out of the cache, or no folder")
            yield from _Repository(str(cache), folder, tool, notes).models()
        except PassedOver as reason:
            notes.append(Note(tool=tool, path=Path(path), reason=str(reason)))
        except OSError as error:
            notes.append(Note(tool=tool, path=Path(path), reason=f"cannot be read: {error.strerror or error}"))


@dataclass(slots=True)
class _Snapshot:
    commit: str
    path: str
    files: dict[str, FoundFile]
    broken: set[str]  # links whose content is not here or lies outside the cache

    @property
    def newest_ns(self) -> int:
        return max((file.mtime_ns for file in self.files.values()), default=0)


class _Repository:
    """One `models--org--name` folder."""

    def __init__(self, cache: str, folder: str, tool: AdoptedFrom, notes: list[Note]) -> None:
        self._cache = cache
        self._path = f"{cache}/{folder}"
        self._name = folder.removeprefix(PREFIX).replace("--", "/")
        self._tool = tool
        self._notes = notes
        self._real_blobs: bool | None = None

    def models(self) -> Iterator[FoundModel]:
        snapshots = [snapshot for snapshot in self._snapshots() if self._offers_something(snapshot)]
        if not snapshots:
            return
        refs = self._refs()
        current = next((snapshot for snapshot in snapshots if snapshot.commit == refs.get("main")), None)
        current = current or max(snapshots, key=lambda snapshot: snapshot.newest_ns)
        yield from self._offer(current, revision=None)
        branches = {commit: ref for ref, commit in refs.items() if _SPELLABLE_REF.fullmatch(ref) and ".." not in ref}
        for snapshot in sorted(snapshots, key=lambda snapshot: snapshot.commit):
            if snapshot is not current:
                yield from self._offer(snapshot, revision=branches.get(snapshot.commit, snapshot.commit))

    def _offer(self, snapshot: _Snapshot, revision: str | None) -> Iterator[FoundModel]:
        """The folder when it holds weights of its own, and each complete GGUF model in it."""
        name = f"{self._name}@{revision}" if revision else self._name
        pinned = f"{self._name}@{snapshot.commit}"
        whole = self._is_whole_folder(snapshot)
        if whole:
            files = tuple(snapshot.files[path] for path in sorted(snapshot.files))
            yield from self._spelled(name, pinned, snapshot.path, snapshot, files)
        groups = gguf_groups([*snapshot.files, *snapshot.broken])
        for group, selector in zip(groups, selectors(groups, alone=not whole), strict=True):
            if missing_parts(group.paths) or not snapshot.broken.isdisjoint(group.paths):
                self._note(snapshot, f"{group.paths[0]} is not complete")
                continue
            files = [snapshot.files[path] for path in group.paths]
            if projector := projector_for(group, snapshot.files):
                files.append(replace(snapshot.files[projector], role=FileRole.PROJECTOR))
            suffix = f":{selector}" if selector else ""
            weights = f"{snapshot.path}/{group.paths[0]}"
            yield from self._spelled(name + suffix, pinned + suffix, weights, snapshot, tuple(files))

    def _spelled(
        self, name: str, reference: str, path: str, snapshot: _Snapshot, files: tuple[FoundFile, ...]
    ) -> Iterator[FoundModel]:
        try:
            parse_reference(f"hf://{name}")
        except InvalidReference as error:
            self._note(snapshot, error.message)
            return
        yield FoundModel(
            name=name,
            reference=reference if _COMMIT.fullmatch(snapshot.commit) else name,
            source=SourceKind.HUGGINGFACE,
            tool=self._tool,
            path=Path(path),
            root=Path(snapshot.path),
            revision=snapshot.commit,
            files=files,
        )

    def _offers_something(self, snapshot: _Snapshot) -> bool:
        if any(is_gguf(path) for path in snapshot.files) or self._is_whole_folder(snapshot):
            return True
        weights = folder_weights([*snapshot.files, *snapshot.broken])
        if snapshot.broken:
            self._note(snapshot, f"{min(snapshot.broken)} points at nothing in the cache")
        elif missing := missing_parts(weights):
            self._note(snapshot, f"{missing[0]} is missing")
        elif weights:
            self._note(snapshot, "its download has not finished")
        return False  # only a tokenizer or a configuration: nothing to say about it

    def _is_whole_folder(self, snapshot: _Snapshot) -> bool:
        weights = folder_weights(snapshot.files)
        broken = any(not is_gguf(path) for path in snapshot.broken)
        return bool(weights) and not broken and not missing_parts(weights) and not self._is_arriving(snapshot)

    def _is_arriving(self, snapshot: _Snapshot) -> bool:
        """True while a file that belongs to this revision is still being fetched by the tool."""
        unfinished = self._unfinished_blobs()
        if not unfinished:
            return False
        listed = _listed(Path(self._path, "trees", f"{snapshot.commit}.json"))
        awaited = (told for path, told in listed.items() if path not in snapshot.files)
        return any(told.lfs_sha256 in unfinished or told.blob_id in unfinished for told in awaited)

    def _unfinished_blobs(self) -> set[str]:
        try:
            with os.scandir(f"{self._path}/blobs") as entries:
                names = {entry.name for entry in entries}
        except FileNotFoundError:
            return set()
        growing = {name.partition(".")[0] for name in names if name.endswith(".incomplete")}
        return growing - names  # a part that was left behind beside the finished blob means nothing

    def _refs(self) -> dict[str, str]:
        """The commit of each ref; unreadable ones are left out."""
        refs: dict[str, str] = {}
        folder = f"{self._path}/refs"
        if not os.path.isdir(folder) or os.path.islink(folder):  # noqa: PTH112, PTH114
            return refs
        for name, entry in walk(folder):
            if entry.is_file(follow_symlinks=False):
                with open(entry.path, encoding="ascii", errors="replace") as file:  # noqa: PTH123
                    refs[name] = file.read(REF_BYTES_MAX).strip()
        return refs

    def _snapshots(self) -> Iterator[_Snapshot]:
        folder = f"{self._path}/snapshots"
        if os.path.islink(folder):  # noqa: PTH114
            raise PassedOver("its snapshots folder is a link")
        try:
            with os.scandir(folder) as entries:
                commits = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return
        for commit in commits:
            try:
                yield self._snapshot(commit)
            except PassedOver as reason:
                self._notes.append(Note(tool=self._tool, path=Path(folder, commit), reason=str(reason)))

    def _snapshot(self, commit: str) -> _Snapshot:
        snapshot = _Snapshot(commit, f"{self._path}/snapshots/{commit}", {}, set())
        for count, (name, entry) in enumerate(walk(snapshot.path)):
            if count >= FILES_MAX:
                raise PassedOver(f"holds more than {FILES_MAX:,} files")
            file = self._file(name, entry)
            if file:
                snapshot.files[name] = file
            else:
                snapshot.broken.add(name)
        return snapshot

    def _file(self, name: str, entry: os.DirEntry[str]) -> FoundFile | None:
        """The bytes behind a snapshot's entry, or None. Two system calls in the usual case: readlink and lstat."""
        if not entry.is_symlink():
            status = entry.stat(follow_symlinks=False)
            return found_file(name, entry.path, status) if stat.S_ISREG(status.st_mode) else None
        try:
            folder, _, key = os.readlink(entry.path).rpartition("/")  # noqa: PTH115
            if folder == "../../" + "../" * name.count("/") + "blobs" and self._has_real_blobs():
                location = f"{self._path}/blobs/{key}"
            else:
                location = os.path.realpath(entry.path)
            status = os.lstat(location)
            if stat.S_ISLNK(status.st_mode):  # the shared store, one hop further
                location = os.path.realpath(location)
                status = os.lstat(location)
        except OSError:
            return None
        if not stat.S_ISREG(status.st_mode) or not is_inside(location, self._cache):
            return None
        sha256 = key if _SHA256.fullmatch(key) else None
        git_oid = key if _GIT_OID.fullmatch(key) else None
        return found_file(name, location, status, sha256=sha256, git_oid=git_oid)

    def _has_real_blobs(self) -> bool:
        """False when `blobs` itself is a link, so that a link into it may end anywhere."""
        if self._real_blobs is None:
            self._real_blobs = not os.path.islink(f"{self._path}/blobs")  # noqa: PTH114
        return self._real_blobs

    def _note(self, snapshot: _Snapshot, reason: str) -> None:
        self._notes.append(Note(tool=self._tool, path=Path(snapshot.path), reason=reason))


class _Told(BaseModel):
    blob_id: str = ""
    lfs_sha256: str | None = None


class _Tree(BaseModel):
    files: dict[str, _Told]


def _listed(tree: Path) -> dict[str, _Told]:
    """What the revision holds at the hub; empty when the tool did not write it down, or not so that we understand."""
    try:
        with tree.open("rb") as file:
            text = file.read(TREE_BYTES_MAX + 1)
        return _Tree.model_validate_json(text).files if len(text) <= TREE_BYTES_MAX else {}
    except (OSError, ValidationError):
        return {}
