"""Moves one file from its source to its placement: in ranges, hashed on the way, resumed after anything.

    have = what an earlier try left, hashed again
    until all bytes are here:  ask for the rest ─ judge the answer ─ append the body
    compare the hash: right → fsync, final name;  wrong → once more from zero, then Corrupt

Whatever goes wrong on the way (reset, stall, 503, expired address, wrong or ignored range, body too short) is tried
again from where the file stands; it gives up after `attempts_max` tries in a row that brought not one new byte.
"""

import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import httpx2

from paddock.errors import (
    AccessDenied,
    Corrupt,
    HubUnreachable,
    NotFound,
    PaddockError,
    RateLimited,
    StorageError,
    TransferFailed,
)
from paddock.hub.addresses import host_of
from paddock.hub.http import HttpClient, length_told, refused, unreachable
from paddock.hub.partial_file import PartialFile
from paddock.hub.ranges import content_range
from paddock.hub.source import Listing, RemoteFile, Source
from paddock.hub.stopping import Stop
from paddock.store.checksum import BLOCK_BYTES, Hasher, git_blob_hasher, sha256_hasher
from paddock.store.placement import Placement

_BUSY = (408, 425, 429, 500, 502, 503, 504)
_DENIED = (401, 403, 404, 410)  # what an address says that has expired, or that never was ours to ask
_WEB_PAGES = (".html", ".htm", ".xhtml")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferLimits:
    """When a transfer gives up."""

    stall_timeout_s: float = 30.0  # without a byte; a slow file is fine
    attempts_max: int = 6  # in a row without a new byte


class TransferProgress(Protocol):
    """Is told how far each file is, from the threads of the transfer. Bytes are absolute: telling twice is harmless."""

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
    limits: TransferLimits | None = None,
) -> None:
    """Bring `file` to its final name within `placement`, checked. Blocks; several files may run at once.

    Content that is here already is not fetched again. Raises Interrupted when `stop` is requested, with what arrived
    kept; TransferFailed, HubUnreachable, RateLimited, AccessDenied when the other side will not; Corrupt when what it
    sends is wrong twice; NotEnoughDisk and StorageError when this side cannot.
    """
    if not placement.holds(file.path, file.key, file.size):
        transfer = _Transfer(file, listing, source, client, progress, stop, limits or TransferLimits())
        transfer.run(placement.partial(file.key))
    placement.keep(file.path, file.key)
    _binding(placement.partial(file.key)).unlink(missing_ok=True)
    progress.finished(file.path)


class _TryAgain(Exception):
    """This try is over; another may do better. Says why, for the error when none did."""

    def __init__(self, why: PaddockError, *, wait_s: float | None = None) -> None:
        super().__init__(why.message)
        self.why = why
        self.wait_s = wait_s


class _Transfer:
    """One file on its way."""

    def __init__(
        self,
        file: RemoteFile,
        listing: Listing,
        source: Source,
        client: HttpClient,
        progress: TransferProgress,
        stop: Stop,
        limits: TransferLimits,
    ) -> None:
        self._file = file
        self._listing = listing
        self._source = source
        self._client = client
        self._progress = progress
        self._stop = stop
        self._limits = limits
        self._size = file.size  # learned from the first answer when the listing did not tell
        self._ends_with_body = False  # nobody tells the size: a body that ends well is the whole file
        self._denied_at: int | None = None  # how far it was when the address was denied last

    def run(self, path: Path) -> None:
        """All bytes at `path`, checked and on the disk."""
        partial = PartialFile(path, name=self._file.path, size=self._file.size, new_hasher=self._new_hasher())
        partial.load(self._report, self._stop.check)
        try:
            self._bring(partial)
        except Corrupt:
            # Once more: a proxy or a resumed file may be to blame. A second time it is the other side.
            self._restart(partial)
            self._bring(partial)
        partial.sync()

    def _new_hasher(self) -> Callable[[], Hasher] | None:
        if self._file.sha256:
            return sha256_hasher
        if self._file.git_oid and self._file.size is not None:
            size = self._file.size
            return lambda: git_blob_hasher(size)
        return None

    def _report(self, position: int) -> None:
        self._progress.at(self._file.path, position)

    def _restart(self, partial: PartialFile) -> None:
        partial.restart()
        self._ends_with_body = False
        _binding(partial.path).unlink(missing_ok=True)
        self._report(0)

    # Until all bytes are here

    def _bring(self, partial: PartialFile) -> None:
        """All bytes, checked. Wrong ones are thrown away, and the error raised."""
        self._complete(partial)
        error = self._damage(partial)
        if error is not None:
            self._restart(partial)
            partial.path.unlink(missing_ok=True)
            raise error

    def _complete(self, partial: PartialFile) -> None:
        if "://" not in self._file.location:
            self._copy(partial)
            return
        furthest = partial.position
        failures = 0
        while not self._is_complete(partial):
            self._stop.check()
            try:
                self._try_once(partial)
            except _TryAgain as again:
                failures = 1 if partial.position > furthest else failures + 1
                furthest = max(furthest, partial.position)
                if failures >= self._limits.attempts_max:
                    raise again.why from again
                wait_s = self._client.backoff_s(failures) if again.wait_s is None else again.wait_s
                self._stop.wait(wait_s)
        if self._size is None:
            self._size = partial.position

    def _is_complete(self, partial: PartialFile) -> bool:
        return self._ends_with_body or (self._size is not None and partial.position >= self._size)

    def _try_once(self, partial: PartialFile) -> None:
        """One request: the rest of the file, or as much of it as comes. Raises _TryAgain when that is not all."""
        extra = self._range(partial)
        try:
            with self._client.open_stream(
                self._file.location,
                headers=self._source.headers,
                extra=extra,
                read_timeout_s=self._limits.stall_timeout_s,
            ) as response:
                self._judge(response, partial)
                self._receive(response, partial)
        except HubUnreachable as error:
            self._stop.check()
            if self._client.offline:
                raise
            raise _TryAgain(error) from error
        except httpx2.TransportError as error:
            self._stop.check()
            raise _TryAgain(self._broken(error, partial)) from error
        if not self._is_complete(partial):
            raise _TryAgain(self._broken(None, partial))

    def _range(self, partial: PartialFile) -> dict[str, str]:
        """The headers that ask for what is still missing."""
        if not partial.position:
            return {}
        extra = {"range": f"bytes={partial.position}-"}
        if not self._has_hash:
            binding = _binding(partial.path)
            if not binding.exists():  # nobody can say whether the rest would belong to these bytes
                self._restart(partial)
                return {}
            extra["if-range"] = binding.read_text(encoding="utf-8")
        return extra

    @property
    def _has_hash(self) -> bool:
        return self._new_hasher() is not None

    def _receive(self, response: httpx2.Response, partial: PartialFile) -> None:
        """Append the body, up to the size of the file: what is beyond is refused, and the hash decides."""
        left = None if self._size is None else self._size - partial.position
        exact = length_told(response.headers) == left  # then the connection is read to its end and can be used again
        with self._woken(response), partial.appending(self._report) as appender:
            for piece in response.iter_raw():
                self._stop.check()
                if left is not None:
                    piece = piece[:left]
                    left -= len(piece)
                appender.add(piece)
                if left == 0 and not exact:
                    return
        if self._size is None:
            self._ends_with_body = True

    @contextmanager
    def _woken(self, response: httpx2.Response) -> Generator[None]:
        """A request to stop ends a read that waits for the next byte."""
        connection = response.extensions["network_stream"].get_extra_info("socket")
        with self._stop.waking(lambda: _hang_up(connection)):
            yield

    def _copy(self, partial: PartialFile) -> None:
        """For sources whose files are on this machine."""
        try:
            with Path(self._file.location).open("rb", buffering=0) as file, partial.appending(self._report) as appender:
                file.seek(partial.position)
                while piece := file.read(BLOCK_BYTES):
                    self._stop.check()
                    appender.add(piece)
        except OSError as error:
            raise StorageError(
                f"`{self._file.location}` cannot be read: {error.strerror}.", hint="Check that the file is there."
            ) from error
        self._ends_with_body = True

    # Judging an answer

    def _judge(self, response: httpx2.Response, partial: PartialFile) -> None:
        """Make sure that the body is the bytes that are missing. Raises _TryAgain or the error that ends it."""
        status = response.status_code
        if status in _BUSY:
            self._busy(response)
        elif status in _DENIED:
            self._denied(response, partial)
        elif status == 416:
            self._out_of_range(response, partial)
        elif status not in (200, 206):
            raise TransferFailed(
                f"`{host_of(str(response.url))}` answers {status} when asked for `{self._file.path}`.",
                hint="Try again later; when it stays so, report it to the hub.",
            )
        self._refuse_web_page(response)
        if status == 206:
            self._part(response, partial)
        else:
            self._whole(response, partial)

    def _whole(self, response: httpx2.Response, partial: PartialFile) -> None:
        """A 200: the file from its start, whether or not we asked for a part."""
        if partial.position:
            self._restart(partial)
        if self._file.size is None:
            self._size = length_told(response.headers)
        self._bind(response, partial)

    def _part(self, response: httpx2.Response, partial: PartialFile) -> None:
        told = content_range(response.headers)
        wrong_total = (
            told is not None
            and told.total is not None
            and self._file.size is not None
            and told.total != self._file.size
        )
        if told is None or told.start != partial.position or wrong_total:
            self._restart(partial)  # asked from zero there is no range to get wrong
            raise _TryAgain(
                TransferFailed(
                    f"`{host_of(str(response.url))}` sends another part of `{self._file.path}` than was asked for.",
                    hint="A proxy in between may cache wrongly; try another network, or later.",
                )
            )
        if self._file.size is None:
            self._size = told.total

    def _out_of_range(self, response: httpx2.Response, partial: PartialFile) -> None:
        """A 416. What we have is longer than what is there, so it is not the same file."""
        self._restart(partial)
        raise _TryAgain(
            TransferFailed(
                f"`{host_of(str(response.url))}` says that `{self._file.path}` is shorter than what it sent before.",
                hint="Pull it again; when it stays so, report it to the hub.",
            )
        )

    def _busy(self, response: httpx2.Response) -> None:
        wait_s = self._client.wait_s(response.status_code, response.headers, 1)
        error = refused(str(response.url), response.status_code, wait_s)
        if wait_s > self._client.limits.retry_after_max_s and isinstance(error, RateLimited):
            raise error
        asked = "retry-after" in response.headers
        raise _TryAgain(error, wait_s=min(wait_s, self._client.limits.retry_after_max_s) if asked else None)

    def _denied(self, response: httpx2.Response, partial: PartialFile) -> None:
        """An address that expired gets a fresh one; when that is denied too, it is meant."""
        twice, self._denied_at = self._denied_at == partial.position, partial.position
        fresh = self._source.refresh(
            self._listing, self._file
        )  # raises AccessDenied with the remedy where it knows one
        self._file = replace(self._file, location=fresh.location)
        host, status = host_of(str(response.url)), response.status_code
        if status in (404, 410):
            why: PaddockError = NotFound(
                f"`{host}` has no `{self._file.path}` any more ({status}).",
                hint="The model may have changed or gone: look with `paddock plan`.",
            )
        else:
            why = AccessDenied(
                f"`{host}` does not let us have `{self._file.path}` ({status}).",
                hint="Accept the model's licence on its page, or set a token that may read it, then pull again.",
            )
        if twice:
            raise why
        raise _TryAgain(why, wait_s=0.0)

    def _refuse_web_page(self, response: httpx2.Response) -> None:
        kind = response.headers.get("content-type", "").lower()
        if kind.startswith("text/html") and not self._file.path.lower().endswith(_WEB_PAGES):
            raise self._web_page(host_of(str(response.url)))
        if response.headers.get("content-encoding", "identity") != "identity":
            raise _TryAgain(
                TransferFailed(
                    f"`{host_of(str(response.url))}` sends `{self._file.path}` compressed, which nobody asked for.",
                    hint="A proxy in between alters files; try another network.",
                )
            )

    def _web_page(self, host: str) -> TransferFailed:
        return TransferFailed(
            f"`{host}` sends a web page in place of `{self._file.path}`: a login page, most likely.",
            hint="Sign in to the network or the hub (open its address in a browser), then pull again.",
        )

    def _bind(self, response: httpx2.Response, partial: PartialFile) -> None:
        """Remember which version the bytes are of, when no hash will tell."""
        if self._has_hash:
            return
        etag = response.headers.get("etag", "")
        version = etag if etag and not etag.startswith("W/") else response.headers.get("last-modified", "")
        if version:
            partial.path.parent.mkdir(parents=True, exist_ok=True)
            _binding(partial.path).write_text(version, encoding="utf-8")

    # What is said in the end

    def _damage(self, partial: PartialFile) -> PaddockError | None:
        """What is wrong with the bytes, None when they are the ones that were promised."""
        self._progress.verifying(self._file.path)
        right = (self._file.sha256 or self._file.git_oid or "").lower()
        actual = partial.digest()
        wrong_size = self._size is not None and partial.position != self._size
        if not wrong_size and (actual is None or actual == right):
            return None
        if partial.looks_like_a_web_page() and not self._file.path.lower().endswith(_WEB_PAGES):
            return self._web_page(host_of(self._file.location))
        found = (
            f"{partial.position:,} bytes, where {self._size:,} are right"
            if wrong_size
            else f"its hash is {actual}, where {right} is right"
        )
        return Corrupt(
            f"`{self._file.path}` arrived damaged: {found}.",
            hint="Nothing of it was kept. Try another network; when it stays so, tell the model's owner.",
        )

    def _broken(self, error: Exception | None, partial: PartialFile) -> PaddockError:
        size = f"{self._size:,}" if self._size is not None else "unknown many"
        if isinstance(error, httpx2.TimeoutException):
            said = f"went silent for {self._limits.stall_timeout_s:g} seconds"
        elif isinstance(error, httpx2.ConnectError):
            return unreachable(self._file.location, error)
        else:
            said = "broke off"
        return TransferFailed(
            f"`{self._file.path}` {said} after {partial.position:,} of {size} bytes, again and again.",
            hint="Pull again later: it goes on where it stopped.",
        )


def _binding(partial: Path) -> Path:
    """Beside a partial without a hash: the ETag or date of the version it belongs to."""
    return partial.with_name(f"{partial.name}.version")


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # it is gone already
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
