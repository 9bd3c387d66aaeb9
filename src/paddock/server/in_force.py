"""The settings that hold now, and what becomes of one that changes while the server runs.

Limits of the pool, options of answers, routing, providers and the log's level hold at once. Everything else was built from
when the server started (a port, a timeout of a client, where models come from), and says that the next start takes it up.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from paddock.config.lookup import all_values, get_value
from paddock.config.schema import Config, ModelEntry

_LATER: Final = ("pool.preload",)  # says what a start loads
_PLANNED: Final = ("pool.memory", "pool.preset")

_NOW: Final = "Holds now."
_NOW_IN_MEMORY: Final = "Holds now for models in memory; what `paddock plan` says follows at the next start."
_NEXT_START: Final = "Holds from the next start of the server on."


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenUp:
    """What became of one setting."""

    value: Any  # what holds, or will
    source: str
    applied: bool  # it holds already
    note: str


class InForce:
    """One server's settings as they are now."""

    def __init__(self, config: Config, *, reread: Callable[[], Config], apply: Callable[[Config], None]) -> None:
        """`reread` resolves the settings as the start did; `apply` hands those that changed to whom they concern."""
        self._config = config
        self._reread = reread
        self._apply = apply

    @property
    def config(self) -> Config:
        return self._config

    async def take_up(self, key: str) -> TakenUp:
        """Read the settings again, let what can hold now hold, and tell what became of `key`.

        Raises InvalidConfig when there is no such key, or when the settings as a whole break a rule.
        """
        wanted = await asyncio.to_thread(self._reread)
        self._config = _merged(self._config, wanted)
        self._apply(self._config)
        told, holds = get_value(wanted, key), get_value(self._config, key)
        applied = told.value == holds.value and _is_live(key)
        now = _NOW_IN_MEMORY if key in _PLANNED else _NOW
        return TakenUp(value=told.value, source=told.source, applied=applied, note=now if applied else _NEXT_START)


def _is_live(key: str) -> bool:
    if key in _LATER:
        return False
    section, _, rest = key.partition(".")
    if section == "models":
        return not rest.endswith(".pin")
    if section == "model":
        return rest.startswith("routing.") or rest == "provider"
    return section in ("options", "pool", "providers", "failover") or key == "log.level"


def _merged(holds: Config, wanted: Config) -> Config:
    """`holds`, with what can change from `wanted`."""
    live = {one.key: one.source for one in all_values(wanted) if _is_live(one.key)}
    sources = {key: source for key, source in holds.sources.items() if not _is_live(key)}
    return holds.model_copy(
        update={
            "model": wanted.model.model_copy(update={"default": holds.model.default}),
            "providers": wanted.providers,
            "failover": wanted.failover,
            "options": wanted.options,
            "models": _models(holds.models, wanted.models),
            "pool": wanted.pool.model_copy(update={"preload": holds.pool.preload}),
            "log": holds.log.model_copy(update={"level": wanted.log.level}),
            "sources": sources | live,
        }
    )


def _models(holds: Mapping[str, ModelEntry], wanted: Mapping[str, ModelEntry]) -> Mapping[str, ModelEntry]:
    """Pins are what they were: clean-up goes by them, too."""
    fresh = ModelEntry()
    return {
        name: wanted.get(name, fresh).model_copy(update={"pin": holds.get(name, fresh).pin})
        for name in {**holds, **wanted}
    }
