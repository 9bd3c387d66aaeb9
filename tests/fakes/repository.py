"""A model repository as Hugging Face keeps it: commits that never change, branches that do."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.fakes.content import Content, content_of

FileValue = bytes | str | Path | Content
Gate = Literal["auto", "manual", False]

_LFS_SUFFIXES = (
    ".safetensors",
    ".gguf",
    ".bin",
    ".onnx",
    ".tflite",
    ".pt",
    ".pth",
    ".pkl",
    ".npz",
    ".h5",
    ".zip",
    ".gz",
)
_LFS_BYTES_MIN = 10 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One file at one commit."""

    path: str
    content: Content
    lfs: bool

    @property
    def pointer(self) -> bytes:
        """What git itself holds for a file in LFS."""
        return (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.content.sha256}\nsize {self.content.size}\n"
        ).encode()

    @property
    def git_oid(self) -> str:
        return content_of(self.pointer).git_oid if self.lfs else self.content.git_oid

    @property
    def etag(self) -> str:
        return self.content.sha256 if self.lfs else self.content.git_oid


@dataclass(slots=True)
class Repository:
    """One repository. Metadata is what the hub would show; `hostile` paths appear in listings only."""

    name: str
    tags: tuple[str, ...] = ()
    gated: Gate = False
    private: bool = False
    license: str | None = None
    pipeline_tag: str | None = None
    library_name: str | None = None
    config: Mapping[str, Any] | None = None
    safetensors: Mapping[str, Any] | None = None
    gguf: Mapping[str, Any] | None = None
    downloads: int = 0
    likes: int = 0
    last_modified: str = "2026-03-01T12:00:00.000Z"
    commits: dict[str, dict[str, Entry]] = field(default_factory=dict[str, dict[str, Entry]])
    branches: dict[str, str] = field(default_factory=dict[str, str])
    tag_refs: dict[str, str] = field(default_factory=dict[str, str])
    hostile: list[str] = field(default_factory=list[str])

    @property
    def sha(self) -> str:
        return self.branches["main"]

    def commit(self, files: Mapping[str, FileValue], *, delete: Iterable[str] = (), branch: str = "main") -> str:
        """A new commit on `branch`: its parent's files, changed. Its id depends on content and parent."""
        parent = self.branches.get(branch) or self.branches.get("main", "")
        entries = dict(self.commits.get(parent, {}))
        for path in delete:
            del entries[path]
        for path, value in files.items():
            content = content_of(value)
            lfs = path.lower().endswith(_LFS_SUFFIXES) or content.size >= _LFS_BYTES_MIN
            entries[path] = Entry(path, content, lfs)
        digest = hashlib.sha1(f"{self.name}\0{parent}".encode())
        for path in sorted(entries):
            digest.update(f"\0{path}\0{entries[path].git_oid}".encode())
        sha = digest.hexdigest()
        self.commits[sha] = entries
        self.branches[branch] = sha
        return sha

    def resolve(self, revision: str) -> str | None:
        """The commit that a branch, a tag, a full or an abbreviated commit id means."""
        name = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        if found := self.branches.get(name) or self.tag_refs.get(name):
            return found
        if len(revision) >= 7:
            return next((sha for sha in self.commits if sha.startswith(revision)), None)
        return None

    def info(self, sha: str, *, blobs: bool) -> dict[str, Any]:
        """The body of `/api/models/{name}`."""
        entries = self.commits[sha].values()
        info: dict[str, Any] = {
            "_id": hashlib.sha1(self.name.encode()).hexdigest()[:24],
            "id": self.name,
            "modelId": self.name,
            "author": self.name.partition("/")[0],
            "sha": sha,
            "lastModified": self.last_modified,
            "createdAt": self.last_modified,
            "private": self.private,
            "gated": self.gated,
            "disabled": False,
            "downloads": self.downloads,
            "likes": self.likes,
            "tags": [*self.tags, *([f"license:{self.license}"] if self.license else [])],
            "cardData": {"license": self.license} if self.license else {},
            "siblings": [
                *(_sibling(entry, blobs=blobs) for entry in entries),
                *({"rfilename": path} for path in self.hostile),
            ],
        }
        optional = {
            "pipeline_tag": self.pipeline_tag,
            "library_name": self.library_name,
            "config": self.config,
            "safetensors": self.safetensors,
            "gguf": self.gguf,
        }
        return info | {key: value for key, value in optional.items() if value is not None}

    def tree(self, sha: str, folder: str, *, recursive: bool) -> list[dict[str, Any]]:
        """The entries below `folder`, folders before the files in them, as `/tree` gives them."""
        prefix = f"{folder}/" if folder else ""
        entries = [entry for path, entry in sorted(self.commits[sha].items()) if path.startswith(prefix)]
        listed: dict[str, dict[str, Any]] = {}
        for entry in entries:
            steps = entry.path[len(prefix) :].split("/")
            for depth in range(1, len(steps)):
                name = prefix + "/".join(steps[:depth])
                if recursive or depth == 1:
                    oid = hashlib.sha1(f"{sha}{name}".encode()).hexdigest()
                    listed.setdefault(name, {"type": "directory", "oid": oid, "size": 0, "path": name})
            if recursive or len(steps) == 1:
                listed[entry.path] = tree_entry(entry)
        for path in self.hostile if not folder else ():
            oid = hashlib.sha1(path.encode("utf-8", "surrogatepass")).hexdigest()
            listed[path] = {"type": "file", "oid": oid, "size": 4, "path": path}
        return list(listed.values())


def _sibling(entry: Entry, *, blobs: bool) -> dict[str, Any]:
    sibling: dict[str, Any] = {"rfilename": entry.path}
    if blobs:
        sibling |= {"size": entry.content.size, "blobId": entry.git_oid}
        if entry.lfs:
            sibling["lfs"] = {
                "sha256": entry.content.sha256,
                "size": entry.content.size,
                "pointerSize": len(entry.pointer),
            }
    return sibling


def tree_entry(entry: Entry) -> dict[str, Any]:
    listed: dict[str, Any] = {
        "type": "file",
        "oid": entry.git_oid,
        "size": entry.content.size,
        "path": entry.path,
    }
    if entry.lfs:
        listed["lfs"] = {
            "oid": entry.content.sha256,
            "size": entry.content.size,
            "pointerSize": len(entry.pointer),
        }
    return listed
