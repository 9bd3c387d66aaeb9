"""The models in memory as `paddock ps`, the admin API and the Python API tell of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from paddock.errors import Corrupt, Incompatible, RunnerCrashed
from paddock.fleet.fleet import RunnerStats
from paddock.library.records import ModelRecord
from paddock.library.trials.results import TrialResult
from paddock.library.trials.trial import did_not_load, try_model
from paddock.pool.status import MemoryState, ModelInMemory, PoolCounters, PoolStatus, WaitingFor
from paddock.vocabulary import ModelFormat

if TYPE_CHECKING:
    from paddock.library.library import Library
    from paddock.pool.pool import Pool

_GB: Final = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUse:
    """Blocks of the KV cache of one model."""

    blocks_used: int
    blocks_total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """One model that takes room."""

    model_type: str
    size_gb: float  # in memory: measured, or what is expected while it loads
    preloaded: bool  # pinned: it stays until somebody unloads it
    last_used: datetime
    state: MemoryState
    leases: int  # requests that use it
    queue: int  # requests that wait for a place in its batch, or for the model
    running: int  # sequences in its batch
    kv: CacheUse
    tokens: int  # that it computed since it was loaded, prompts included
    prefix_hit_tokens: int  # of prompts, that it did not compute again
    format: ModelFormat
    architecture: str | None
    disk_bytes: int
    predicted_bytes: int
    granted_bytes: int  # what it may grow to, cache included
    measured_bytes: int | None
    users: tuple[str, ...]
    load_seconds: float | None
    keep_alive_s: float | None  # None is forever
    expires_at: datetime | None  # when it leaves unless somebody asks; None when it is in use or stays


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """Of all models together."""

    budget_bytes: int
    used_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsStatus:
    """`GET /admin/models/status`, `paddock ps --json`."""

    loaded_models: Mapping[str, LoadedModel]
    memory: MemoryUse
    max_memory_gb: float
    max_models: int
    preset: str
    policy: str
    waiting: tuple[WaitingFor, ...]
    counters: PoolCounters


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadAnswer:
    """`POST /admin/models/load/{id}`."""

    status: str  # `loaded`
    model_id: str
    model_type: str
    size_gb: float
    preloaded: bool  # pinned
    was_loaded: bool  # before this call
    warmed: bool
    load_seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnloadAnswer:
    """`POST /admin/models/unload/{id}`."""

    status: str  # `unloaded`, or `not_loaded` when it was not there
    model_id: str
    was_loaded: bool
    freed_bytes: int
    ended: int  # requests that were ended by force


@dataclass(frozen=True, slots=True, kw_only=True)
class PinAnswer:
    """`POST /admin/models/pin/{id}`."""

    status: str  # `pinned` or `unpinned`
    model_id: str
    preloaded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmAnswer:
    """`POST /admin/models/warm/{id}`."""

    status: str  # `warm`
    model_id: str


class ModelsInMemory:
    """The pool as people see it: answers have names, types and times of day."""

    def __init__(self, pool: "Pool", library: "Library", *, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._library = library
        self._now = now

    async def load(self, name: str, *, pin: bool | None = None, warm: bool | None = None) -> LoadAnswer:
        """Bring a model into memory. `pin` keeps it there, `warm` runs it once; None is as set."""
        loaded = await self._pool.load(name, pin=pin, warm=warm)
        return LoadAnswer(
            status="loaded",
            model_id=loaded.name,
            model_type=await _type_of(self._library, loaded.name),
            size_gb=round(loaded.memory_bytes / _GB, 3),
            preloaded=loaded.pinned,
            was_loaded=loaded.was_loaded,
            warmed=loaded.warmed,
            load_seconds=round(loaded.load_seconds, 3),
            memory_bytes=loaded.memory_bytes,
        )

    async def unload(self, name: str, *, force: bool = False) -> UnloadAnswer:
        """Take a model out of memory. Raises InUse while requests use it, unless forced."""
        unloaded = await self._pool.unload(name, force=force)
        return UnloadAnswer(
            status="unloaded" if unloaded.was_loaded else "not_loaded",
            model_id=unloaded.name,
            was_loaded=unloaded.was_loaded,
            freed_bytes=unloaded.freed_bytes,
            ended=unloaded.ended,
        )

    async def pin(self, name: str, *, pinned: bool = True) -> PinAnswer:
        """Keep a model in memory once it is there, or no longer."""
        record = await self._library.get(name)
        await self._pool.pin(record.name, pinned=pinned)
        return PinAnswer(status="pinned" if pinned else "unpinned", model_id=record.name, preloaded=pinned)

    async def warm(
        self, name: str, *, prefill_tokens: int = 128, tokens: int = 4, keep_loaded: bool | None = None
    ) -> WarmAnswer:
        """Load a model if need be and run it once. `keep_loaded` True keeps it, False unloads it afterwards."""
        record = await self._library.get(name)
        await self._pool.warm(record.name, prefill_tokens=prefill_tokens, tokens=tokens, keep_loaded=keep_loaded)
        return WarmAnswer(status="warm", model_id=record.name)

    async def trial(self, name: str) -> TrialResult:
        """Load a model if need be and find out what it can do; it is remembered. A model that does not load is a result, too.

        Raises ModelNotFound, and what is no fault of the model: no room, no patience.
        """
        record = await self._library.get(name)
        result = await self._tried(record)
        await self._library.remember_trial(result)
        return result

    async def _tried(self, record: ModelRecord) -> TrialResult:
        try:
            async with self._pool.lease(record.name, user="a trial") as lease:
                return await try_model(record, lease.runner, now=self._now)
        except (Corrupt, Incompatible, RunnerCrashed) as error:
            return did_not_load(record, error, now=self._now)

    async def status(self) -> ModelsStatus:
        """Every model in memory, and the room for more."""
        stats = await self._pool.stats()
        status = self._pool.status()
        types = {name: await _type_of(self._library, name) for name in status.models}
        moment = self._now()

        def at(mark: float) -> datetime:
            return moment + timedelta(seconds=mark - status.now)

        return ModelsStatus(
            loaded_models={
                name: _loaded_model(model, types[name], stats.get(name), at) for name, model in status.models.items()
            },
            memory=_memory(status),
            max_memory_gb=round(status.budget_bytes / _GB, 3),
            max_models=status.max_models,
            preset=status.preset,
            policy=status.policy,
            waiting=status.waiting,
            counters=status.counters,
        )


async def _type_of(library: "Library", name: str) -> str:
    record = await library.find(name)
    return record.facts.model_type if record is not None else "text"


def _memory(status: PoolStatus) -> MemoryUse:
    return MemoryUse(budget_bytes=status.budget_bytes, used_bytes=status.used_bytes, free_bytes=status.free_bytes)


def _loaded_model(
    model: ModelInMemory, model_type: str, stats: RunnerStats | None, at: Callable[[float], datetime]
) -> LoadedModel:
    in_memory = model.measured_bytes if model.measured_bytes is not None else model.predicted_bytes
    return LoadedModel(
        model_type=model_type,
        size_gb=round(in_memory / _GB, 3),
        preloaded=model.pinned,
        last_used=at(model.last_used_at),
        state=model.state,
        leases=model.leases,
        queue=model.waiting + (stats.waiting if stats else 0),
        running=stats.running if stats else 0,
        kv=CacheUse(blocks_used=stats.blocks_used if stats else 0, blocks_total=stats.blocks_total if stats else 0),
        tokens=stats.tokens if stats else 0,
        prefix_hit_tokens=stats.prefix_hit_tokens if stats else 0,
        format=model.format,
        architecture=model.architecture,
        disk_bytes=model.size_bytes,
        predicted_bytes=model.predicted_bytes,
        granted_bytes=model.granted_bytes,
        measured_bytes=model.measured_bytes,
        users=model.users,
        load_seconds=model.load_seconds,
        keep_alive_s=model.keep_alive_s,
        expires_at=at(model.expires_at) if model.expires_at is not None else None,
    )
