"""The seam to the places models come from, and what they tell about a model before a byte of it moves.

A source knows one place: how to search it, how to list one revision of a model, where each file's bytes are and which
hash they must have. It never writes; `transfer` moves bytes and a `Placement` decides where they land. Everything here
blocks and is called from worker threads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from paddock.catalog.reading import RangeReader
from paddock.hub.reference import ModelReference
from paddock.vocabulary import SourceKind


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """One file of a model at its source. `path` is relative, with `/`, and already known to be safe to join."""

    path: str
    size: int | None  # None only when a source will not tell (some URLs)
    sha256: str | None = None  # lower-case hex of the whole content
    git_oid: str | None = None  # git blob id, for small files that have no SHA-256
    key: str = (
        ""  # names the content within its store: the ETag for the hub, the digest for Ollama; never empty in a listing
    )
    location: str = ""  # absolute URL, or a path for local sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One revision of a model at its source: files and metadata, no weights."""

    reference: ModelReference
    name: str  # canonical: what the library will call it
    source: SourceKind
    revision: str  # commit, digest or version; the same revision always means the same bytes
    files: tuple[RemoteFile, ...]  # every file of the revision; `selection` chooses among them
    license: str | None = None
    gated: bool = False
    private: bool = False
    tags: tuple[str, ...] = ()
    pipeline_tag: str | None = None
    library_name: str | None = None
    modified_at: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])  # `config`, `gguf` and the like, as told


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One line of a search."""

    name: str
    source: SourceKind
    downloads: int = 0
    likes: int = 0
    license: str | None = None
    gated: bool = False
    tags: tuple[str, ...] = ()
    pipeline_tag: str | None = None
    library_name: str | None = None
    modified_at: datetime | None = None


class Source(Protocol):
    """One place models come from. Raises only `PaddockError`s."""

    kind: SourceKind

    def search(self, query: str, *, limit: int) -> Sequence[Hit]:
        """Models whose name or tags fit, best first; sources that cannot search return nothing."""
        ...

    def list(self, reference: ModelReference) -> Listing:
        """What `reference` means right now, its revision pinned. Raises ModelNotFound, AccessDenied, HubUnreachable…"""
        ...

    def reader(self, listing: Listing, file: RemoteFile) -> RangeReader:
        """Reads parts of one file without fetching it whole."""
        ...

    def headers(self, url: str) -> Mapping[str, str]:
        """Request headers for fetching from `url`: credentials only when `url` is on the source's own host."""
        ...

    def refresh(self, listing: Listing, file: RemoteFile) -> RemoteFile:
        """The same file with a fresh location, for signed URLs that expire."""
        ...
