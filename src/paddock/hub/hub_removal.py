"""Removing some files of a revision from the Hugging Face cache: one quantization of a repository that holds several.

A whole revision is removed by the library's own plan (`hub_cache.remove_revision`). It knows no smaller unit, so for a part
of one we do what its plan does: drop the links, then the content that no other link of the repository leads to.
"""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import NotFound
from paddock.hub.hub_cache import no_pull_of, preview_removal, remove_revision, scan
from paddock.store.disk import Disk, cannot_keep

if TYPE_CHECKING:
    from huggingface_hub import CachedFileInfo, CachedRevisionInfo


def preview_file_removal(cache_dir: Path, repo_id: str, commit: str, paths: Collection[str]) -> int:
    """The bytes that `remove_files` would free. Raises NotFound."""
    revision, others = _files_of(cache_dir, repo_id, commit, paths)
    if _is_all(revision, paths):
        return preview_removal(cache_dir, repo_id, commit).freed_bytes
    return sum(file.size_on_disk for file in _unshared(revision, others, paths))


def remove_files(cache_dir: Path, repo_id: str, commit: str, paths: Collection[str], disk: Disk | None = None) -> int:
    """Delete these files of one revision, and the revision with its last file. Returns the bytes freed.

    Raises NotFound, StorageError, and InUse while the repository is being pulled.
    """
    revision, others = _files_of(cache_dir, repo_id, commit, paths)
    if _is_all(revision, paths):
        return remove_revision(cache_dir, repo_id, commit)
    disk = disk or Disk()
    unshared = _unshared(revision, others, paths)
    with no_pull_of(cache_dir, repo_id):
        try:
            for path in sorted(paths):
                disk.remove(revision.snapshot_path / path)
            for blob in sorted({file.blob_path for file in unshared}):
                disk.remove(blob)
        except OSError as error:
            raise cannot_keep(repo_id, cache_dir, error) from error
    return sum(file.size_on_disk for file in unshared)


def _files_of(
    cache_dir: Path, repo_id: str, commit: str, paths: Collection[str]
) -> "tuple[CachedRevisionInfo, list[CachedFileInfo]]":
    """The revision, and every file of the repository that stays."""
    info = scan(cache_dir)
    for repo in info.repos if info is not None else ():
        if repo.repo_type != "model" or repo.repo_id != repo_id:
            continue
        revision = next((one for one in repo.revisions if one.commit_hash == commit), None)
        if revision is None:
            continue
        stays = [file for one in repo.revisions if one is not revision for file in one.files]
        stays += [file for file in revision.files if _path_in(revision, file) not in paths]
        return revision, stays
    raise NotFound(f"`{repo_id}` at {commit[:12]} is not in `{cache_dir}`.", hint="`paddock list` shows what is here.")


def _is_all(revision: "CachedRevisionInfo", paths: Collection[str]) -> bool:
    """Whether nothing that makes a model would be left: a README alone is none."""
    left = [path for file in revision.files if (path := _path_in(revision, file)) not in paths]
    return not any(path.lower().endswith((".gguf", ".safetensors", ".onnx", ".tflite", ".bin")) for path in left)


def _unshared(
    revision: "CachedRevisionInfo", stays: "list[CachedFileInfo]", paths: Collection[str]
) -> "list[CachedFileInfo]":
    kept = {file.blob_path for file in stays}
    gone = {
        file.blob_path: file
        for file in revision.files
        if _path_in(revision, file) in paths and file.blob_path not in kept
    }
    return list(gone.values())


def _path_in(revision: "CachedRevisionInfo", file: "CachedFileInfo") -> str:
    return file.file_path.relative_to(revision.snapshot_path).as_posix()
