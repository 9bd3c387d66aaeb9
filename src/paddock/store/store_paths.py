"""The names of things in Paddock's own store, and the manifest that says what a revision consists of."""

import hashlib
import re
from pathlib import Path

import msgspec

from paddock.store.names import folder_name

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


class StorePaths:
    """Where everything of one store is."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = root / "blobs"
        self.models = root / "models"
        self.all_parts = root / "parts"
        self.trash = root / "trash"

    def folder(self, name: str, revision: str) -> Path:
        """Where this revision is, or would be."""
        return self.models / folder_name(name) / folder_name(revision)

    def parts(self, name: str, revision: str) -> Path:
        """What of this revision still grows or is being put together."""
        return self.all_parts / folder_name(name) / folder_name(revision)

    def blob(self, name: str, revision: str, key: str) -> Path:
        """Where content is kept. Only a digest names the same content for everyone."""
        if _DIGEST.fullmatch(key):
            return self.blobs / key.replace(":", "-")
        scoped = hashlib.sha256("\0".join([name, revision, key]).encode("utf-8", "surrogatepass")).hexdigest()
        return self.blobs / f"own-{scoped}"

    def lock(self, name: str, revision: str) -> Path:
        return self.root / "locks" / f"{folder_name(name)}.{folder_name(revision)}.lock"


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a revision's folder; None when it is missing or damaged."""
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return None


def entries(folder: Path) -> list[Path]:
    """What a folder holds, in order; nothing when there is no such folder."""
    return sorted(folder.iterdir()) if folder.is_dir() else []


def files_below(folder: Path) -> list[Path]:
    """Every file below, links not followed."""
    found: list[Path] = []
    for entry in entries(folder):
        if entry.is_symlink():
            continue
        found += files_below(entry) if entry.is_dir() else [entry]
    return found
