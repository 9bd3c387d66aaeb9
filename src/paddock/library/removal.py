"""Takes a model off the disk, or only out of the list, and never more than that.

What we pulled we may delete. What another tool keeps is deleted only when asked for by name and only through that tool's
own rules; what somebody registered is only forgotten; what came with the package stays.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from paddock.errors import UsageError
from paddock.hub.hub_removal import preview_file_removal, remove_files
from paddock.hub.reference import parse_reference
from paddock.library.records import ModelRecord
from paddock.store.layout import ModelStore
from paddock.vocabulary import Origin


class RemovalKind(StrEnum):
    DELETED = "deleted"
    FORGOTTEN = "forgotten"  # its files stay where they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What removing a model did, or with `dry_run` would do."""

    name: str
    kind: RemovalKind
    freed_bytes: int
    kept_bytes: int  # that other models share, or that were never ours
    path: str


class Remover:
    """Blocking."""

    def __init__(self, *, store: ModelStore, hub_cache: Path) -> None:
        self._store = store
        self._hub_cache = hub_cache

    def remove(self, record: ModelRecord, others: Iterable[ModelRecord], *, adopted: bool, dry_run: bool) -> Removed:
        """Remove `record`; `others` are all models that stay. `adopted` says that another tool's files may go too.

        Raises UsageError when it must not be removed.
        """
        match record.origin:
            case Origin.BUILTIN:
                raise UsageError(
                    f"`{record.name}` is part of Paddock and cannot be removed.",
                    hint="It takes no room beyond the package. Nothing loads it unless asked for.",
                )
            case Origin.REGISTERED:
                return self._removed(record, RemovalKind.FORGOTTEN, freed=0)
            case Origin.ADOPTED if not adopted:
                raise UsageError(
                    f"`{record.name}` belongs to another tool, which keeps it in {record.root}.",
                    hint="Remove it with that tool, or say that its files may go: `paddock rm --adopted`.",
                )
            case Origin.ADOPTED | Origin.PULLED:
                freed = self._delete(record, others, dry_run=dry_run)
                return self._removed(record, RemovalKind.DELETED, freed=freed)

    def _delete(self, record: ModelRecord, others: Iterable[ModelRecord], *, dry_run: bool) -> int:
        root = Path(record.root).resolve()
        if root.is_relative_to(self._hub_cache.resolve()):
            kept = [file.path for other in others if other.root == record.root for file in other.files]
            repo_id = parse_reference(record.reference).name  # its name here may be one that somebody chose
            gone = [file.path for file in record.files if file.path not in set(kept)]
            if dry_run:
                return preview_file_removal(self._hub_cache, repo_id, str(record.revision), gone)
            return remove_files(self._hub_cache, repo_id, str(record.revision), gone)
        if root.is_relative_to(self._store.root.resolve()):
            # Also the revisions that this one replaced: with it gone, one of them would be the model again.
            revisions = [manifest.revision for manifest in self._store.manifests() if manifest.name == record.name]
            take = self._store.removable_bytes if dry_run else self._store.remove
            return sum(take(record.name, revision) for revision in revisions)
        raise UsageError(
            f"`{record.name}` lies in {record.root}, where Paddock deletes nothing.",
            hint="Remove it with the tool that keeps it; Paddock's list follows by itself.",
        )

    def drop_content(self, record: ModelRecord, paths: Iterable[str]) -> None:
        """Delete damaged files of a model that we pulled, links and content, so that a pull fetches them again."""
        store = self._store.root.resolve()
        for path in paths:
            link = Path(record.root) / path
            content = link.resolve()
            inside = content.is_relative_to(self._hub_cache.resolve()) or content.is_relative_to(store)
            assert inside, "only files of our own stores are repaired"
            link.unlink(missing_ok=True)
            content.unlink(missing_ok=True)
            # In our own store the blob is another link to the same damaged content.
            key = next((file.key for file in record.files if file.path == path), "")
            if key and content.is_relative_to(store):
                self._store.blob(record.name, str(record.revision), key).unlink(missing_ok=True)

    def _removed(self, record: ModelRecord, kind: RemovalKind, *, freed: int) -> Removed:
        return Removed(
            name=record.name,
            kind=kind,
            freed_bytes=freed,
            kept_bytes=max(0, record.size_bytes - freed),
            path=record.path,
        )
