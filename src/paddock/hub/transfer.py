"""Moves one file from its source to its placement: in ranges, hashed on the way, resumed after anything.

    have = what an earlier try left, hashed again
    until all bytes are here:  ask for the rest ─ judge the answer ─ append the body
    compare the hash: right → fsync, final name;  wrong → once more from zero, then Corrupt

Whatever goes wrong on the way (reset, stall, 503, expired address, wrong or ignored range, body too short) is tried
again from where the file stands; it gives up after `attempts_max` tries in a row that brought not one new byte.
"""

import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx2

from paddock.errors import Corrupt, HubUnreachable, PaddockError, StorageError
from paddock.hub import transfer_errors
from paddock.hub.addresses import host_of
from paddock.hub.http import HttpClient, length_told
from paddock.hub.judging import Course, Judge, TryAgain, is_web_page, version_beside
from paddock.hub.source import Listing, RemoteFile, Source
from paddock.hub.stopping import Stop
from paddock.hub.turns import Turns
from paddock.store.checksum import BLOCK_BYTES
from paddock.store.placement import Placement

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
            course = Course(file, partial, lambda position: progress.at(file.path, position))
            judge = Judge(source, listing, client)
            _Transfer(course, judge, source, client, progress, stop, limits or TransferLimits()).run()
        placement.keep(file.path, file.key)
        version_beside(partial).unlink(missing_ok=True)
    progress.finished(file.path)


class _Transfer:
    """Carries one file through."""

    def __init__(
        self,
        course: Course,
        judge: Judge,
        source: Source,
        client: HttpClient,
        progress: TransferProgress,
        stop: Stop,
        limits: TransferLimits,
    ) -> None:
        self._course = course
        self._judge = judge
        self._source = source
        self._client = client
        self._progress = progress
        self._stop = stop
        self._limits = limits

    def run(self) -> None:
        """All bytes in the partial, checked and on the disk."""
        self._course.partial.load(self._report, self._stop.check)
        try:
            self._bring()
        except Corrupt:
            # Once more: a proxy or a resumed file may be to blame. A second time it is the other side.
            self._course.restart()
            self._bring()
        self._course.partial.sync()

    def _report(self, position: int) -> None:
        self._progress.at(self._course.file.path, position)

    def _bring(self) -> None:
        """All bytes, checked. Wrong ones are thrown away, and the error raised."""
        course = self._course
        if "://" in course.file.location:
            self._complete()
        else:
            self._copy()
        error = self._damage()
        if error is not None:
            course.restart()
            course.partial.path.unlink(missing_ok=True)
            raise error

    def _complete(self) -> None:
        """Ask until all bytes are here, or until asking brings nothing any more."""
        course = self._course
        furthest = course.position
        failures = 0
        while not course.is_complete:
            self._stop.check()
            try:
                self._try_once()
            except TryAgain as again:
                failures = 1 if course.position > furthest else failures + 1
                furthest = max(furthest, course.position)
                if failures >= self._limits.attempts_max:
                    raise again.why from again
                wait_s = self._client.backoff_s(failures) if again.wait_s is None else again.wait_s
                self._stop.wait(wait_s)
        if course.size is None:
            course.size = course.position

    def _try_once(self) -> None:
        """One request: the rest of the file, or as much of it as comes. Raises TryAgain when that is not all."""
        course = self._course
        try:
            with self._client.open_stream(
                course.file.location,
                headers=self._source.headers,
                extra=course.range_headers(),
                read_timeout_s=self._limits.stall_timeout_s,
            ) as response:
                if self._judge.wants(response, course):
                    self._receive(response)
        except HubUnreachable as error:
            self._stop.check()
            if self._client.offline:
                raise
            raise TryAgain(error) from error
        except httpx2.TransportError as error:
            self._stop.check()
            raise TryAgain(self._broken(error)) from error
        if not course.is_complete:
            at_once = course.position == course.unframed_at
            raise TryAgain(self._broken(None), wait_s=0.0 if at_once else None)

    def _receive(self, response: httpx2.Response) -> None:
        """Append the body, up to the size of the file: what is beyond is refused, and the hash decides."""
        course = self._course
        left = None if course.size is None else course.size - course.position
        exact = length_told(response.headers) == left  # then the connection is read to its end and can be used again
        with self._woken(response), course.partial.appending(self._report) as appender:
            for piece in response.iter_raw():
                self._stop.check()
                if left is not None:
                    piece = piece[:left]
                    left -= len(piece)
                appender.add(piece)
                if left == 0 and not exact:
                    return
        course.body_ended(response)

    @contextmanager
    def _woken(self, response: httpx2.Response) -> Generator[None]:
        """A request to stop ends a read that waits for the next byte."""
        connection = response.extensions["network_stream"].get_extra_info("socket")
        with self._stop.waking(lambda: _hang_up(connection)):
            yield

    def _copy(self) -> None:
        """For sources whose files are on this machine."""
        course = self._course
        try:
            with Path(course.file.location).open("rb", buffering=0) as file:
                file.seek(course.position)
                with course.partial.appending(self._report) as appender:
                    while piece := file.read(BLOCK_BYTES):
                        self._stop.check()
                        appender.add(piece)
        except OSError as error:
            raise StorageError(
                f"`{course.file.location}` cannot be read: {error.strerror}.", hint="Check that the file is there."
            ) from error
        course.is_all()

    def _damage(self) -> PaddockError | None:
        """What is wrong with the bytes, None when they are the ones that were promised."""
        course = self._course
        file = course.file
        self._progress.verifying(file.path)
        right = (file.sha256 or file.git_oid or "").lower()
        actual = course.partial.digest()
        wrong_size = course.size is not None and course.position != course.size
        if not wrong_size and (actual is None or actual == right):
            return None
        if course.partial.looks_like_a_web_page() and not is_web_page(file.path):
            return transfer_errors.web_page(file.path, host_of(file.location))
        if wrong_size:
            return transfer_errors.damaged(file.path, hashes=None, sizes=(course.position, course.size or 0))
        return transfer_errors.damaged(file.path, hashes=(actual or "", right), sizes=None)

    def _broken(self, error: Exception | None) -> PaddockError:
        course = self._course
        return transfer_errors.broken_off(
            course.file.path,
            course.file.location,
            error,
            position=course.position,
            size=course.size,
            stall_timeout_s=self._limits.stall_timeout_s,
        )


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # it is gone already
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
