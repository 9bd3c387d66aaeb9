"""What the pool tells about itself: plain values, the same in `--json`, the API and the dashboard."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from paddock.vocabulary import ModelFormat


class MemoryState(StrEnum):
    LOADING = "loading"
    READY = "ready"
    RESTARTING = "restarting"  # its process ended and comes back
    UNLOADING = "unloading"
    FAILED = "failed"  # its process ended for good; the next request loads it afresh


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInMemory:
    """One model that takes room. Moments are those of the pool's clock; ages are easier to use."""

    name: str
    state: MemoryState
    format: ModelFormat
    architecture: str | None
    size_bytes: int  # on disk
    leases: int  # requests that use it
    waiting: int  # requests that wait for it
    users: tuple[str, ...]
    pinned: bool
    draining: bool  # it takes no new requests: others have waited too long
    predicted_bytes: int
    granted_bytes: int  # what it may grow to: weights and cache together
    measured_bytes: int | None  # after loading
    loaded_at: float | None
    last_used_at: float
    load_seconds: float | None
    keep_alive_s: float | None  # None is forever
    expires_at: float | None  # when it leaves if nobody asks; None when it is in use or stays


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingFor:
    """A model that is not in memory, and how many requests wait for room for it."""

    name: str
    requests: int
    longest_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCounters:
    """Since the pool was made."""

    loads: int = 0
    load_failures: int = 0
    hits: int = 0  # requests that found their model in memory
    misses: int = 0  # requests that had to wait for a load
    evictions: int = 0  # to make room
    expirations: int = 0  # after their keep-alive
    pressure_evictions: int = 0
    unloads: int = 0  # asked for
    failures: int = 0  # models whose process ended for good
    refused: int = 0
    load_seconds: float = 0.0  # of all loads together


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """A look at the pool."""

    models: Mapping[str, ModelInMemory]
    waiting: tuple[WaitingFor, ...]
    preset: str
    policy: str
    max_models: int
    budget_bytes: int
    used_bytes: int  # reserved and granted
    free_bytes: int
    counters: PoolCounters
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A model in memory, under limits that somebody thinks of."""

    name: str
    room_bytes: int
    held_by: str  # why it cannot leave: `pinned`, `in use`, `loading`, `leaving`; empty when it could


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsPreview:
    """What would happen at once if these limits held. Nothing has."""

    budget_bytes: int
    max_models: int
    policy: str
    leaves: tuple[Share, ...]
    stays: tuple[Share, ...]
    over_bytes: int  # by how much those that stay exceed the budget until they can leave
    over_models: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The answer to a load."""

    name: str
    was_loaded: bool  # before this call
    load_seconds: float  # of the load, whenever it was
    memory_bytes: int
    size_bytes: int
    pinned: bool
    warmed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unloaded:
    """The answer to an unload."""

    name: str
    was_loaded: bool
    freed_bytes: int
    ended: int  # requests that were ended by force
