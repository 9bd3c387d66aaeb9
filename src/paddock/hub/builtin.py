"""The models that come with the package: always there, also with no network."""

import difflib
import hashlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paddock.catalog.reading import FileReader
from paddock.errors import ModelNotFound, StorageError
from paddock.hub.local import LocalFile, local_files, local_metadata, modified_at, open_local
from paddock.hub.reference import ModelReference
from paddock.hub.source import Hit, Listing, RemoteFile
from paddock.store.checksum import sha256_of
from paddock.vocabulary import SourceKind


class BuiltinSource:
    """`builtin://name`, one folder each below the folder it is given. The revision is a hash of all files."""

    kind = SourceKind.BUILTIN

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hashes: dict[str, str] = {}  # by LocalFile.key: a file is hashed once
        self._lock = threading.Lock()

    def names(self) -> Sequence[str]:
        """Every built-in model. Raises StorageError when the package is broken."""
        try:
            return sorted(entry.name for entry in self._folder.iterdir() if (entry / "config.json").is_file())
        except OSError as error:
            raise StorageError(
                f"The built-in models are missing from `{self._folder}`.", hint="Install Paddock again."
            ) from error

    def search(self, query: str, *, limit: int) -> Sequence[Hit]:
        """Those whose name or tags hold every word of `query`."""
        hits: list[Hit] = []
        for name in self.names():
            card = _card(self._folder / name)
            tags = _tags(card)
            text = f"{name} {' '.join(tags)}".lower()
            if all(word in text for word in query.lower().split()):
                hits.append(
                    Hit(
                        name=name,
                        source=SourceKind.BUILTIN,
                        license=card.get("license"),
                        tags=tags,
                        pipeline_tag=card.get("pipeline_tag"),
                        library_name=card.get("library_name"),
                    )
                )
        return hits[:limit]

    def list(self, reference: ModelReference) -> Listing:
        """Its files, all hashed. Raises ModelNotFound with near names, StorageError."""
        if reference.name not in self.names():
            near = difflib.get_close_matches(reference.name, self.names(), 1)
            named = ", ".join(f"`{name}`" for name in self.names())
            raise ModelNotFound(
                f"There is no built-in model `{reference.name}`.",
                hint=f"Did you mean `{near[0]}`?" if near else f"There are {named}.",
            )
        folder = self._folder / reference.name
        found = local_files(folder)
        files = tuple(self._hashed(file) for file in found)
        revision = hashlib.sha256("".join(f"{file.path}\0{file.sha256}\n" for file in files).encode()).hexdigest()
        card = _card(folder)
        metadata: dict[str, Any] = local_metadata(found)
        return Listing(
            reference=reference,
            name=reference.name,
            source=SourceKind.BUILTIN,
            revision=revision,
            files=files,
            license=card.get("license"),
            tags=_tags(card),
            pipeline_tag=card.get("pipeline_tag"),
            library_name=card.get("library_name"),
            modified_at=modified_at(found),
            metadata=metadata,
        )

    def reader(self, listing: Listing, file: RemoteFile) -> FileReader:
        return open_local(file)

    def headers(self, url: str) -> Mapping[str, str]:
        return {}

    def refresh(self, listing: Listing, file: RemoteFile) -> RemoteFile:
        return file

    def _hashed(self, file: LocalFile) -> RemoteFile:
        with self._lock:
            if file.key not in self._hashes:
                try:
                    self._hashes[file.key] = sha256_of(file.location)
                except OSError as error:
                    raise StorageError(
                        f"`{file.location}` cannot be read: {error.strerror}.", hint="Install Paddock again."
                    ) from error
            sha256 = self._hashes[file.key]
        return RemoteFile(
            path=file.path, size=file.size, sha256=sha256, key=f"sha256:{sha256}", location=str(file.location)
        )


def _card(folder: Path) -> dict[str, str]:
    """The simple `key: value` lines at the top of the model's README, which we wrote ourselves."""
    try:
        lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    if not lines or lines[0] != "---" or "---" not in lines[1:]:
        return {}
    head = lines[1 : lines.index("---", 1)]
    return {key.strip(): value.strip() for key, colon, value in (line.partition(":") for line in head) if colon}


def _tags(card: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(tag.strip() for tag in card.get("tags", "").strip("[]").split(",") if tag.strip())
