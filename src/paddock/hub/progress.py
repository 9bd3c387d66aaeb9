"""How a pull is getting on: bytes, speed over the last five seconds, time left.

Transfers tell it where each file is (`at`, `verifying`, `finished`); whoever shows it asks for an `event`, as often as
it likes, at least every two seconds even when nothing moves. The first event says 0 %, the last of a complete pull
100 %, and the percentage never falls, with one exception: a file that turned out corrupt, or that the other side would
not resume, starts again from zero, and so does its share.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from paddock.vocabulary import ProgressEvent, PullStatus

SPEED_WINDOW_S = 5.0
_SAMPLE_S = 0.1  # samples closer than this are merged, so that the window holds at most fifty


class PullProgress:
    """The progress of one pull. Thread-safe."""

    def __init__(
        self,
        sizes: Mapping[str, int | None],
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        here: Collection[str] = (),
    ) -> None:
        """`sizes` are those of every file of the pull (None when nobody told), `here` the files that need no transfer.
        `clock` only ever rises; `now` is the time of day, in UTC."""
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._sizes = dict(sizes)
        self._done: dict[str, int] = {path: self._sizes[path] or 0 for path in here}
        self._finished: set[str] = set(here)
        self._arrived = 0  # bytes over the network: what was on disk already is no speed
        self._resumed: set[str] = set()  # files whose first report, what was here before, has been taken
        self._samples: deque[tuple[float, int]] = deque([(clock(), 0)])
        self._current: str | None = None
        self._status = PullStatus.QUEUED
        self._error: str | None = None
        self._begun = False
        self._highest = 0.0  # the percentage shown last; it falls only when a file starts again

    def at(self, path: str, done_bytes: int) -> None:
        """`path` has this many bytes on disk. The first report of a file is what an earlier try left."""
        with self._lock:
            before = self._done.get(path, 0)
            if path in self._resumed:
                self._arrived += max(0, done_bytes - before)
            if done_bytes < before:
                self._highest = 0.0
            self._resumed.add(path)
            self._done[path] = done_bytes
            self._current = path
            self._finished.discard(path)
            self._sample()

    def verifying(self, path: str) -> None:
        """All bytes of `path` are here and are being checked."""
        with self._lock:
            self._current = path

    def finished(self, path: str) -> None:
        """`path` has its final name."""
        with self._lock:
            size = self._sizes.get(path)
            if size is None:
                size = self._sizes[path] = self._done.get(path, 0)
            self._done[path] = size
            self._finished.add(path)
            if self._current == path:
                self._current = None
            self._sample()

    def set_status(self, status: PullStatus, error: str | None = None) -> None:
        """From now on events carry this status."""
        with self._lock:
            self._status, self._error = status, error

    @property
    def downloaded_bytes(self) -> int:
        with self._lock:
            return sum(self._done.values())

    def event(self) -> ProgressEvent:
        """How it stands now. The very first event says 0 %, whatever an earlier try left behind."""
        with self._lock:
            self._sample()
            complete = self._status is PullStatus.COMPLETE
            downloaded = sum(self._done.values())
            total = sum(max(size or 0, self._done.get(path, 0)) for path, size in self._sizes.items())
            speed = self._speed()
            left = max(0, total - downloaded)
            percentage = 0.0 if not self._begun else self._percentage(downloaded, total)
            self._begun = True
            return ProgressEvent(
                percentage=100.0 if complete else percentage,
                downloaded_bytes=downloaded,
                total_bytes=total,
                download_speed=0.0 if complete else speed,
                eta_seconds=0.0 if complete or not left else (left / speed if speed > 0 else None),
                current_file=self._current,
                files_completed=len(self._finished),
                total_files=len(self._sizes),
                status=self._status,
                error=self._error,
                timestamp=self._now(),
            )

    def _percentage(self, downloaded: int, total: int) -> float:
        """Below 100 until the pull is complete: bytes that are not checked yet are no success."""
        if not total or any(size is None for size in self._sizes.values()):
            share = len(self._finished) / max(1, len(self._sizes))
        else:
            share = downloaded / total
        self._highest = max(self._highest, min(100.0 * share, 99.9))
        return self._highest

    def _sample(self) -> None:
        """Note how much has arrived by now, and forget what is older than the window."""
        time = self._clock()
        last = self._samples[-1]
        if len(self._samples) > 1 and time - self._samples[-2][0] < _SAMPLE_S:
            self._samples[-1] = (time, self._arrived)
        elif time > last[0] or self._arrived != last[1]:
            self._samples.append((time, self._arrived))
        while len(self._samples) > 2 and time - self._samples[1][0] >= SPEED_WINDOW_S:
            self._samples.popleft()

    def _speed(self) -> float:
        """Bytes per second over the window, or over the time since the start when that is shorter."""
        (start, before), (end, after) = self._samples[0], self._samples[-1]
        window = min(SPEED_WINDOW_S, end - start)
        if window <= 0:
            return 0.0
        if end - start > SPEED_WINDOW_S:
            # The oldest sample lies before the window: take what arrived since its edge, evenly spread.
            next_time, next_bytes = self._samples[1]
            share = (end - SPEED_WINDOW_S - start) / (next_time - start)
            before += (next_bytes - before) * min(1.0, share)
        return (after - before) / window
