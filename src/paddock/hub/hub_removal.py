"""Removing some files of a revision from the Hugging Face cache: one quantization of a repository that holds several.

The plan of what goes is the library's own, as for whole revisions (`hub_cache.remove_revision`): content that another
link leads to stays.
"""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import NotFound, StorageError
from paddock.hub.hub_cache import no_pull_of, preview_removal, remove_revision, scan
from paddock.store.disk import cannot_keep

if TYPE_CHECKING:
    from huggingface_hub import CachedFileInfo, CachedRevisionInfo, HFCacheInfo

_WEIGHTS = (".gguf", ".safetensors", ".onnx", ".tflite", ".bin")


def preview_file_removal(cache_dir: Path, repo_id: str, commit: str, paths: Collection[str]) -> int:
    """The bytes that `remove_files` would free. Raises NotFound."""
    info, revision = _revision(cache_dir, repo_id, commit)
    if _is_all(revision, paths):
        return preview_removal(cache_dir, repo_id, commit).freed_bytes
    return info.delete_files(*_chosen(revision, paths)).expected_freed_size


def remove_files(cache_dir: Path, repo_id: str, commit: str, paths: Collection[str]) -> int:
    """Delete these files of one revision, and the revision with its last weights. Returns the bytes freed.

    Raises NotFound, StorageError, and InUse while the repository is being pulled.
    """
    info, revision = _revision(cache_dir, repo_id, commit)
    if _is_all(revision, paths):
        return remove_revision(cache_dir, repo_id, commit)
    strategy = info.delete_files(*_chosen(revision, paths))
    with no_pull_of(cache_dir, repo_id):
        try:
            strategy.execute()
        except OSError as error:
            raise cannot_keep(repo_id, cache_dir, error) from error
    if left := [path for path in paths if (revision.snapshot_path / path).is_symlink()]:
        raise StorageError(
            f"`{left[0]}` of `{repo_id}` could not be deleted from `{cache_dir}`.",
            hint="Make the folder writable for this user.",
        )
    return strategy.expected_freed_size


def _revision(cache_dir: Path, repo_id: str, commit: str) -> "tuple[HFCacheInfo, CachedRevisionInfo]":
    info = scan(cache_dir)
    if info is not None:
        for repo in info.repos:
            for revision in repo.revisions if repo.repo_type == "model" and repo.repo_id == repo_id else ():
                if revision.commit_hash == commit:
                    return info, revision
    raise NotFound(f"`{repo_id}` at {commit[:12]} is not in `{cache_dir}`.", hint="`paddock list` shows what is here.")


def _chosen(revision: "CachedRevisionInfo", paths: Collection[str]) -> "list[CachedFileInfo]":
    return [file for file in revision.files if _path_in(revision, file) in paths]


def _is_all(revision: "CachedRevisionInfo", paths: Collection[str]) -> bool:
    """Whether nothing that makes a model would be left: a README alone is none."""
    left = [path for file in revision.files if (path := _path_in(revision, file)) not in paths]
    return not any(path.lower().endswith(_WEIGHTS) for path in left)


def _path_in(revision: "CachedRevisionInfo", file: "CachedFileInfo") -> str:
    return file.file_path.relative_to(revision.snapshot_path).as_posix()
