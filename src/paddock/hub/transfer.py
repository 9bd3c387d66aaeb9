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

from paddock.errors import Corrupt, HubUnreachable, PaddockError, RateLimited, StorageError
from paddock.hub import transfer_errors
from paddock.hub.addresses import host_of
from paddock.hub.http import HttpClient, length_told, refused
from paddock.hub.partial_file import PartialFile
from paddock.hub.ranges import content_range
from paddock.hub.source import Listing, RemoteFile, Source
from paddock.hub.stopping import Stop
from paddock.hub.turns import Turns
from paddock.store.checksum import BLOCK_BYTES, Hasher, git_blob_hasher, sha256_hasher
from paddock.store.placement import Placement

_BUSY = (408, 425, 429, 500, 502, 503, 504)
_DENIED = (401, 403, 404, 410)  # what an address says that has expired, or that never was ours to ask
_WEB_PAGES = (".html", ".htm", ".xhtml")
_turns = Turns()


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
    partial = placement.partial(file.key)
    with _turns.take(str(partial), stop.check):
        if not placement.holds(file.path, file.key, file.size):
            _Transfer(file, listing, source, client, progress, stop, limits or TransferLimits()).run(partial)
        placement.keep(file.path, file.key)
        _binding(partial).unlink(missing_ok=True)
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
        self._unframed_at: int | None = None  # where a body ended of which nobody said how long it is
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
        self._unframed_at = None
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
                if self._judge(response, partial):
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
            at_once = partial.position == self._unframed_at
            raise _TryAgain(self._broken(None, partial), wait_s=0.0 if at_once else None)

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
            self._end_of_unknown(response, partial)

    def _end_of_unknown(self, response: httpx2.Response, partial: PartialFile) -> None:
        """Nobody told how long the file is. A body in chunks says when it ends; any other may have been cut off, so the
        server is asked for what follows, where that can be asked."""
        may_ask = self._has_hash or _binding(partial.path).exists()
        if "transfer-encoding" in response.headers or not may_ask or not partial.position:
            self._ends_with_body = True
        else:
            self._unframed_at = partial.position

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

    def _judge(self, response: httpx2.Response, partial: PartialFile) -> bool:
        """Whether the body is bytes that are missing; False when none are. Raises _TryAgain or the error that ends it."""
        status, path, host = response.status_code, self._file.path, host_of(str(response.url))
        if status in _BUSY:
            raise self._busy(response)
        if status in _DENIED:
            raise self._denied(response, partial)
        if status == 416:
            return self._out_of_range(response, partial)
        if status not in (200, 206):
            raise transfer_errors.unexpected(path, host, status)
        if response.headers.get("content-type", "").lower().startswith("text/html") and not _is_web_page(path):
            raise transfer_errors.web_page(path, host)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise _TryAgain(transfer_errors.compressed(path, host))
        return self._part(response, partial) if status == 206 else self._whole(response, partial)

    def _whole(self, response: httpx2.Response, partial: PartialFile) -> bool:
        """A 200: the file from its start, whether or not we asked for a part."""
        if partial.position and partial.position == self._unframed_at:
            self._ends_with_body = True  # it knows no ranges, so nobody can tell more
            return False
        if partial.position:
            self._restart(partial)
        if self._file.size is None:
            self._size = length_told(response.headers)
        self._bind(response, partial)
        return True

    def _part(self, response: httpx2.Response, partial: PartialFile) -> bool:
        told = content_range(response.headers)
        right = told is not None and told.start == partial.position
        if told is None or not right or (None not in (told.total, self._file.size) and told.total != self._file.size):
            self._restart(partial)  # asked from zero there is no range to get wrong
            raise _TryAgain(transfer_errors.another_part(self._file.path, host_of(str(response.url))))
        if self._file.size is None:
            self._size = told.total
        return True

    def _out_of_range(self, response: httpx2.Response, partial: PartialFile) -> bool:
        """A 416: nothing follows what we have. Then it is all, or another and shorter file."""
        told = response.headers.get("content-range", "").removeprefix("bytes */")
        if self._size is None and (told == str(partial.position) or partial.position == self._unframed_at):
            self._ends_with_body = True
            return False
        self._restart(partial)
        raise _TryAgain(transfer_errors.shorter_than_before(self._file.path, host_of(str(response.url))))

    def _busy(self, response: httpx2.Response) -> Exception:
        wait_s = self._client.wait_s(response.status_code, response.headers, 1)
        error = refused(str(response.url), response.status_code, wait_s)
        limit_s = self._client.limits.retry_after_max_s
        if wait_s > limit_s and isinstance(error, RateLimited):
            return error
        asked = "retry-after" in response.headers
        return _TryAgain(error, wait_s=min(wait_s, limit_s) if asked else None)

    def _denied(self, response: httpx2.Response, partial: PartialFile) -> Exception:
        """An address that expired gets a fresh one; when that is denied too, it is meant."""
        twice, self._denied_at = self._denied_at == partial.position, partial.position
        # Raises AccessDenied with the remedy where the source knows one.
        fresh = self._source.refresh(self._listing, self._file)
        self._file = replace(self._file, location=fresh.location)
        why = transfer_errors.denied(self._file.path, host_of(str(response.url)), response.status_code)
        return why if twice else _TryAgain(why, wait_s=0.0)

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
        if partial.looks_like_a_web_page() and not _is_web_page(self._file.path):
            return transfer_errors.web_page(self._file.path, host_of(self._file.location))
        if wrong_size:
            return transfer_errors.damaged(self._file.path, hashes=None, sizes=(partial.position, self._size or 0))
        return transfer_errors.damaged(self._file.path, hashes=(actual or "", right), sizes=None)

    def _broken(self, error: Exception | None, partial: PartialFile) -> PaddockError:
        return transfer_errors.broken_off(
            self._file.path,
            self._file.location,
            error,
            position=partial.position,
            size=self._size,
            stall_timeout_s=self._limits.stall_timeout_s,
        )


def _is_web_page(path: str) -> bool:
    return path.lower().endswith(_WEB_PAGES)


def _binding(partial: Path) -> Path:
    """Beside a partial without a hash: the ETag or date of the version it belongs to."""
    return partial.with_name(f"{partial.name}.version")


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # it is gone already
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
