"""What no model and no pull needs any more in Paddock's own store: found and measured here, and deleted when asked for."""

import shutil
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from paddock.store.disk import Disk, cannot_keep
from paddock.store.layout import ModelStore, Part
from paddock.store.locking import hold
from paddock.store.model_placement import drop_unused
from paddock.store.store_paths import StorePaths, entries, files_below


class StoreLeftovers:
    """Blocking. Sizes are what deleting would free: content that models share with a stray pull is not counted."""

    def __init__(self, store: ModelStore) -> None:
        self._store = store
        self._paths = StorePaths(store.root)

    def stray_pulls(self, wanted: Collection[tuple[str, str]]) -> list[Part]:
        """The folders of pulls that ended early, but for the `wanted` ones: name and revision."""
        keep = {self._paths.parts(name, revision) for name, revision in wanted}
        folders = [folder for model in entries(self._paths.all_parts) for folder in entries(model)]
        return [self._measured(folder) for folder in folders if folder not in keep]

    def drop_pull(self, folder: Path) -> None:
        """Delete a stray pull and the content that only it had. Raises InUse while it runs."""
        lock = self._store.root / "locks" / f"{folder.parent.name}.{folder.name}.lock"
        with hold(lock, what="The model is being pulled"):
            try:
                held = {file.stat().st_ino for file in files_below(folder)}
                shutil.rmtree(folder)
                if not any(folder.parent.iterdir()):
                    folder.parent.rmdir()
                for blob in entries(self._paths.blobs):
                    if blob.stat().st_ino in held:
                        drop_unused(blob, Disk())
            except OSError as error:
                raise cannot_keep("The store", self._store.root, error) from error

    def unused(self) -> list[Part]:
        """Contents that nothing links to, and what removals that were cut off left. `ModelStore.sweep` deletes them."""
        blobs = [blob for blob in entries(self._paths.blobs) if blob.stat().st_nlink == 1]
        found = [Part(blob, blob.stat().st_size, blob.stat().st_mtime) for blob in blobs]
        return found + [self._measured(trash) for trash in entries(self._paths.trash)]

    def strangers(self, used: Collection[Path], wanted: Collection[tuple[str, str]]) -> list[tuple[Part, str, str]]:
        """Revisions that are the folder of no model, each with its name and revision: newer ones took their place."""
        real = [path.resolve() for path in used]  # the store may be named by way of a link, and was perhaps not before
        found: list[tuple[Part, str, str]] = []
        for manifest in self._store.manifests():
            folder = self._store.folder(manifest.name, manifest.revision)
            if (manifest.name, manifest.revision) in wanted or any(
                path.is_relative_to(folder.resolve()) for path in real
            ):
                continue
            size = self._store.removable_bytes(manifest.name, manifest.revision)
            found.append((Part(folder, size, folder.stat().st_mtime), manifest.name, manifest.revision))
        return found

    def _measured(self, folder: Path) -> Part:
        """A folder of links, and its blobs if it alone holds them."""
        stats = [file.stat() for file in files_below(folder)]
        inside = Counter(stat.st_ino for stat in stats)
        blobs = {blob.stat().st_ino for blob in entries(self._paths.blobs)}
        size = sum(
            stat.st_size
            for stat in {stat.st_ino: stat for stat in stats}.values()
            if stat.st_nlink <= inside[stat.st_ino] + (stat.st_ino in blobs)
        )
        return Part(folder, size, max((stat.st_mtime for stat in stats), default=folder.stat().st_mtime))
