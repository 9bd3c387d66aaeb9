"""The ledger: what was turned down. One line of JSON each, in a file that all processes of a home write, bounded in bytes."""

import fcntl
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

FILE_BYTES_MAX: Final = 1 << 20  # of the file that is written; one before it is kept
LISTED_MAX: Final = 1000
TOGETHER: Final = timedelta(seconds=1)  # the same again within it is counted, and written with the next
_WAITING_MAX: Final = 256
_UNWRITTEN_MAX: Final = 256
_TEXT_CHARACTERS_MAX: Final = 256
_PRIVATE: Final = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One destination that was turned down, `times` in a row."""

    at: datetime
    process: str  # `serve`, `runner of pony`
    pid: int
    action: str  # `ask`, `connect`, `send`, `look up`, `listen`, `open`
    host: str
    port: int | None
    who: str  # on whose behalf
    times: int = 1


Key = tuple[str, str, str, int | None, str]


class Refusals:
    """The ledger at `path`. Safe to share between threads and processes; never raises: what is refused stays refused."""

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        bytes_max: int = FILE_BYTES_MAX,
    ) -> None:
        self.path = path
        self._now = now
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._written: dict[Key, datetime] = {}
        self._waiting: dict[Key, Refusal] = {}
        self._unwritten: deque[Refusal] = deque(maxlen=_UNWRITTEN_MAX)  # where the disk does not take it

    def add(self, *, process: str, action: str, host: str, port: int | None, who: str) -> Refusal:
        """Write one down."""
        found = Refusal(
            at=self._now(),
            process=process[:_TEXT_CHARACTERS_MAX],
            pid=os.getpid(),
            action=action,
            host=host[:_TEXT_CHARACTERS_MAX],
            port=port,
            who=who[:_TEXT_CHARACTERS_MAX],
        )
        key = (found.process, found.action, found.host, found.port, found.who)
        with self._lock:
            before = self._waiting.pop(key, None)
            if before is not None:
                found = replace(found, times=before.times + 1)
            last = self._written.get(key)
            if last is not None and timedelta() <= found.at - last < TOGETHER:
                self._waiting[key] = found
            else:
                self._write(found, key)
        return found

    def latest(self, count: int = LISTED_MAX) -> Sequence[Refusal]:
        """The newest at most `count` of all processes, oldest first. Blocking: it reads the file."""
        with self._lock:
            for key in [*self._waiting]:
                self._write(self._waiting.pop(key), key)
            own = [*self._unwritten]
        found = [*_read(self._older), *_read(self.path), *own]
        return sorted(found, key=lambda one: one.at)[-count:]

    @property
    def _older(self) -> Path:
        return self.path.with_suffix(f".1{self.path.suffix}")

    def _write(self, found: Refusal, key: Key) -> None:
        self._written.pop(key, None)
        self._written[key] = found.at
        while len(self._written) > _WAITING_MAX:  # whoever was longest silent; what it has waiting is written, not lost
            oldest = next(iter(self._written))
            del self._written[oldest]
            if (left := self._waiting.pop(oldest, None)) is not None:
                self._append(left)
        self._append(found)

    def _append(self, found: Refusal) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _PRIVATE)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                os.write(descriptor, msgspec.json.encode(found) + b"\n")
                if os.fstat(descriptor).st_size > self._bytes_max and self._is_current(descriptor):
                    self.path.replace(self._older)
            finally:
                os.close(descriptor)
        except OSError:
            self._unwritten.append(found)

    def _is_current(self, descriptor: int) -> bool:
        """Whether it is the file at the path: another process may have put it aside while this one waited for the lock."""
        return os.path.samestat(os.fstat(descriptor), self.path.stat())


def _read(path: Path) -> Sequence[Refusal]:
    """What a file holds; lines that a crash cut short are left out."""
    found: list[Refusal] = []
    with suppress(OSError), path.open("rb") as file:
        for line in file:
            with suppress(msgspec.DecodeError):
                found.append(msgspec.json.decode(line, type=Refusal))
    return found
