"""What the pool may do, in the numbers that it works with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from paddock.config.kinds import listed
from paddock.config.schema import Config
from paddock.config.units import FOREVER
from paddock.errors import UsageError
from paddock.library.keepalive import KeepAlive
from paddock.library.records import ModelRecord
from paddock.pool.planning import Limits, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """Limits, times and what is set for single models."""

    max_models: int = 4
    budget_bytes: int  # all models together
    preset: str = "default"
    policy: Policy = Policy.LRU
    keep_alive_s: float | None = 600.0  # None is forever
    keep_alives: Mapping[str, float | None] = field(default_factory=dict[str, float | None])  # of single models
    pinned: frozenset[str] = frozenset()
    preload: tuple[str, ...] = ()
    warm_up: bool = False
    queue_max: int = 256  # requests that wait for a model, all together
    wait_max_s: float = 120.0  # for room
    turn_s: float = 10.0  # a request that waits longer makes models in use end
    residency_s: float = 5.0  # a model stays as long as its load took, at most this long, before it makes room
    pressure_min: float = 0.05  # of the machine's memory available; below, idle models leave
    pressure_check_s: float = 5.0

    @property
    def limits(self) -> Limits:
        return Limits(models=self.max_models, room_bytes=self.budget_bytes)

    def keep_alive_of(self, record: ModelRecord) -> float | None:
        """In seconds, None is forever: the model's own, else what the configuration says of it, else of all."""
        configured = self.keep_alives.get(record.name, self.keep_alive_s)
        if record.keep_alive is None:
            return configured
        try:
            return KeepAlive.parse(record.keep_alive).seconds
        except UsageError:  # a row that somebody damaged is no reason not to answer
            return configured


def pool_settings(config: Config, *, usable_bytes: int) -> PoolSettings:
    """What `config` says, on a machine whose device can use `usable_bytes`."""
    pool = config.pool
    own = {name: entry.keep_alive for name, entry in config.models.items() if entry.keep_alive is not None}
    return PoolSettings(
        max_models=pool.max_models,
        budget_bytes=pool.memory.of(usable_bytes),
        preset=pool.preset,
        policy=Policy(pool.policy),
        keep_alive_s=_seconds(pool.keep_alive),
        keep_alives={name: _seconds(duration) for name, duration in own.items()},
        pinned=frozenset(name for name, entry in config.models.items() if entry.pin),
        preload=listed(pool.preload),
        warm_up=pool.warm_up,
        queue_max=pool.queue_max,
        wait_max_s=pool.wait_max_s,
        turn_s=pool.turn_s,
        residency_s=pool.residency_s,
        pressure_min=pool.pressure_min,
        pressure_check_s=pool.pressure_check_s,
    )


def _seconds(duration: timedelta) -> float | None:
    return None if duration == FOREVER else duration.total_seconds()
