"""What has happened in the pool so far."""

from dataclasses import replace
from enum import StrEnum

from paddock.pool.observer import PoolObserver
from paddock.pool.status import PoolCounters


class Reason(StrEnum):
    """Why a model left."""

    ROOM = "room"
    IDLE = "idle"
    PRESSURE = "pressure"
    UNLOADED = "unloaded"
    FAILED = "failed"


class Counting:
    """Counts, and tells the observer."""

    def __init__(self, observer: PoolObserver) -> None:
        self._observer = observer
        self.counters: PoolCounters = PoolCounters()

    def hit(self, name: str) -> None:
        self.counters = replace(self.counters, hits=self.counters.hits + 1)
        self._observer.hit(name)

    def missed(self) -> None:
        self.counters = replace(self.counters, misses=self.counters.misses + 1)

    def refused(self, name: str, code: str) -> None:
        self.counters = replace(self.counters, refused=self.counters.refused + 1)
        self._observer.refused(name, code=code)

    def loaded(self, name: str, seconds: float, memory_bytes: int) -> None:
        now = self.counters
        self.counters = replace(now, loads=now.loads + 1, load_seconds=now.load_seconds + seconds)
        self._observer.loaded(name, seconds=seconds, memory_bytes=memory_bytes)

    def load_failed(self) -> None:
        self.counters = replace(self.counters, load_failures=self.counters.load_failures + 1)

    def left(self, name: str, reason: Reason) -> None:
        now = self.counters
        match reason:
            case Reason.ROOM:
                self.counters = replace(now, evictions=now.evictions + 1)
            case Reason.PRESSURE:
                self.counters = replace(now, pressure_evictions=now.pressure_evictions + 1)
            case Reason.IDLE:
                self.counters = replace(now, expirations=now.expirations + 1)
            case Reason.UNLOADED:
                self.counters = replace(now, unloads=now.unloads + 1)
            case Reason.FAILED:
                self.counters = replace(now, failures=now.failures + 1)
        self._observer.evicted(name, reason=reason.value)
