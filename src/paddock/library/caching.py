"""A value that is asked for again only when it is old or was invalidated, and kept when asking fails."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from paddock.errors import Airgapped, HubUnreachable

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Cached(Generic[Value]):
    value: Value
    stale: bool  # past its time, shown because the one who knows did not answer


class TimedCache(Generic[Value]):
    """Values by key, each good for `lifetime_s` from when it was loaded. One load per key however many ask at once."""

    def __init__(self, *, lifetime_s: float, clock: Callable[[], float], entries_max: int = 1024) -> None:
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._entries_max = entries_max
        self._entries: dict[str, tuple[float, Value]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, key: str, load: Callable[[], Awaitable[Value]]) -> Cached[Value]:
        """The cached value, or what `load` returns. When it raises HubUnreachable or Airgapped, an old one serves, stale."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                entry = self._entries.get(key)
                if entry is not None and self._clock() - entry[0] < self._lifetime_s:
                    return Cached(entry[1], stale=False)
                try:
                    value = await load()
                except (HubUnreachable, Airgapped):
                    if entry is None:
                        raise
                    return Cached(entry[1], stale=True)
                self._remember(key, value)
                return Cached(value, stale=False)
        finally:
            if not lock.locked():
                self._locks.pop(key, None)

    def _remember(self, key: str, value: Value) -> None:
        self._entries.pop(key, None)
        self._entries[key] = (self._clock(), value)
        while len(self._entries) > self._entries_max:
            del self._entries[next(iter(self._entries))]

    def invalidate(self, key: str) -> None:
        self._entries.pop(key, None)

    def clear(self) -> None:
        self._entries.clear()
