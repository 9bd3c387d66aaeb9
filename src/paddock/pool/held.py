"""A model that takes room, from the moment its load begins until its process is gone."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from paddock.fleet.fleet import Runner, RunnerState
from paddock.library.records import ModelRecord
from paddock.pool.lease import Lease
from paddock.pool.planning import Resident, Standing
from paddock.pool.specs import Need
from paddock.pool.status import MemoryState, ModelInMemory

_OVER = (RunnerState.FAILED, RunnerState.STOPPED)


@dataclass(slots=True, eq=False, kw_only=True)
class Held:
    """Changed by the pool only."""

    record: ModelRecord
    need: Need
    granted_bytes: int  # what its process may grow to: its need, or more
    keep_alive_s: float | None
    keep_alive_said: bool = False  # by a request, so that the settings have no say any more
    used_at: float
    idle_since: float
    runner: Runner | None = None  # None while it loads
    leases: set[Lease] = field(default_factory=set[Lease])
    was_used: bool = False
    draining: bool = False  # others have waited too long: no new requests until it has left
    retiring: bool = False  # somebody waits for it to be unloaded
    leaving: bool = False
    measured_bytes: int | None = None
    loaded_at: float | None = None
    load_seconds: float | None = None
    stays_until: float = 0.0
    load: asyncio.Task[None] | None = None
    leave: asyncio.Task[None] | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def is_ready(self) -> bool:
        return self.runner is not None and not self.leaving

    @property
    def is_over(self) -> bool:
        """Whether its process has ended and will not come back."""
        return self.is_ready and self.runner is not None and self.runner.state in _OVER

    @property
    def takes_requests(self) -> bool:
        return self.is_ready and not self.draining and not self.retiring and not self.is_over

    @property
    def is_idle(self) -> bool:
        return self.is_ready and not self.leases

    @property
    def runner_bytes_max(self) -> int:
        """The limit that its runner keeps, so that it takes no more than it was granted."""
        return self.need.runner_bytes_max + self.granted_bytes - self.need.room_bytes

    @property
    def room_bytes(self) -> int:
        """What it is counted with: what it may grow to, or what it took beyond that."""
        return max(self.granted_bytes, self.measured_bytes or 0)

    def expires_at(self, *, pinned: bool) -> float | None:
        if pinned or not self.is_idle or self.keep_alive_s is None:
            return None
        return self.idle_since + self.keep_alive_s

    def resident(self, *, pinned: bool) -> Resident:
        """As the planning sees it."""
        standing = Standing.LEAVING if self.leaving else Standing.LOADING if self.runner is None else Standing.READY
        return Resident(
            name=self.name,
            room_bytes=self.room_bytes,
            standing=standing,
            in_use=bool(self.leases),
            pinned=pinned,
            used_at=self.used_at,
            idle_since=self.idle_since,
            stays_until=self.stays_until,
            draining=self.draining,
        )

    def state(self) -> MemoryState:
        if self.leaving:
            return MemoryState.UNLOADING
        if self.runner is None:
            return MemoryState.LOADING
        if self.is_over:
            return MemoryState.FAILED
        return MemoryState.RESTARTING if self.runner.state is RunnerState.RESTARTING else MemoryState.READY

    def look(self, *, pinned: bool, waiting: int) -> ModelInMemory:
        ready = self.runner is not None and self.runner.state is RunnerState.READY
        return ModelInMemory(
            name=self.name,
            state=self.state(),
            format=self.record.format,
            architecture=self.runner.model.architecture if ready and self.runner is not None else None,
            size_bytes=self.record.size_bytes,
            leases=len(self.leases),
            waiting=waiting,
            users=named(lease.user for lease in self.leases),
            pinned=pinned,
            draining=self.draining,
            predicted_bytes=self.need.room_bytes,
            granted_bytes=self.granted_bytes,
            measured_bytes=self.measured_bytes,
            loaded_at=self.loaded_at,
            last_used_at=self.used_at,
            load_seconds=self.load_seconds,
            keep_alive_s=self.keep_alive_s,
            expires_at=self.expires_at(pinned=pinned),
        )


def named(users: Iterable[str]) -> tuple[str, ...]:
    """Each user once, with how often if more than once: `alice`, `bob (3 requests)`."""
    counts = Counter(users)
    return tuple(user if count == 1 else f"{user} ({count} requests)" for user, count in sorted(counts.items()))
