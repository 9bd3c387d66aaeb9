"""What pulls of ours that ended early left in the Hugging Face cache. What other tools left is theirs to clean.

models--org--name/
  blobs/<etag>.paddock-<tag>          a part; `.incomplete` ones are other tools'
  .paddock-<tag>/                     a snapshot that was being put together
"""

import re
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from paddock.errors import StorageError
from paddock.hub.hub_cache import pull_tag, repo_folder
from paddock.store.disk import cannot_keep
from paddock.store.locking import hold

_PART = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\.paddock-(?P<tag>[0-9a-f]{12})(?:\.[a-z]+)?")
_STAGED = re.compile(r"\.paddock-(?P<tag>[0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class StrayPart:
    """A part, or the remains of a snapshot, of one pull."""

    path: Path
    size: int
    modified_at: float


@dataclass(frozen=True, slots=True)
class WantedPull:
    """A pull that will go on: its parts stay."""

    repo_id: str
    commit: str
    paths: tuple[str, ...]


def stray_parts(cache_dir: Path, wanted: Collection[WantedPull]) -> list[StrayPart]:
    """Every part in the cache that belongs to no wanted pull. Raises StorageError for a cache that cannot be read."""
    keep = {(repo_folder(cache_dir, pull.repo_id), pull_tag(pull.commit, pull.paths)) for pull in wanted}
    try:
        return [_measured(path) for path, tag in _parts(cache_dir) if (_repository(path), tag) not in keep]
    except OSError as error:
        raise StorageError(
            f"`{cache_dir}` cannot be read: {error.strerror or error}.", hint="Check the folder's permissions."
        ) from error


def drop_part(part: Path) -> None:
    """Delete one, and the repository's folder when nothing is left in it. Raises InUse while its pull runs."""
    found = _PART.fullmatch(part.name) or _STAGED.fullmatch(part.name)
    assert found is not None, "only parts of ours are dropped"
    repository = _repository(part)
    lock = repository.parent / ".locks" / repository.name / f"paddock-{found['tag']}.lock"
    with hold(lock, what=f"`{repository.name}` is being pulled"):
        try:
            if part.is_dir() and not part.is_symlink():
                shutil.rmtree(part)
            else:
                part.unlink(missing_ok=True)
            for folder in (repository / "blobs", repository / "snapshots", repository):
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()
        except OSError as error:
            raise cannot_keep(repository.name, repository.parent, error) from error


def _parts(cache_dir: Path) -> Iterator[tuple[Path, str]]:
    for repository in sorted(cache_dir.glob("models--*")):
        if repository.is_symlink() or (repository / "blobs").is_symlink():
            continue  # leads out of the cache
        for folder, form in ((repository / "blobs", _PART), (repository, _STAGED)):
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                found = form.fullmatch(path.name)
                if found is not None and not path.is_symlink():
                    yield path, found["tag"]


def _repository(part: Path) -> Path:
    return part.parent.parent if part.parent.name == "blobs" else part.parent


def _measured(path: Path) -> StrayPart:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if not file.is_symlink() and file.is_file()]
    stats = [file.stat() for file in files]
    newest = max((stat.st_mtime for stat in stats), default=path.stat().st_mtime)
    return StrayPart(path, sum(stat.st_size for stat in stats), newest)
