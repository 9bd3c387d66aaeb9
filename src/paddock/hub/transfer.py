"""Moves one file from its source to its placement: in ranges, hashed on the way, resumed after anything."""

from dataclasses import dataclass
from typing import Protocol

from paddock.hub.http import HttpClient
from paddock.hub.source import Listing, RemoteFile, Source
from paddock.hub.stopping import Stop
from paddock.store.placement import Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferLimits:
    """When a transfer gives up."""

    stall_timeout_s: float = 30.0  # without a byte
    attempts_max: int = 6  # in a row without a byte of progress


class TransferProgress(Protocol):
    """Is told how far each file is. Called from the transfer's thread; bytes are absolute, so telling twice is harmless."""

    def at(self, path: str, done_bytes: int) -> None: ...

    def verifying(self, path: str) -> None: ...

    def finished(self, path: str) -> None: ...


def fetch(
    file: RemoteFile,
    *,
    listing: Listing,
    source: Source,
    placement: Placement,
    client: HttpClient,
    progress: TransferProgress,
    stop: Stop,
    limits: TransferLimits = TransferLimits(),
) -> None:
    """Bring `file` to its final name within `placement`, checked. Blocks; several files may run at once."""
    raise NotImplementedError
