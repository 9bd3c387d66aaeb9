"""Requests that wait for a model: for its load, or for room to load it."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from paddock.library.records import ModelRecord
from paddock.pool.lease import Lease
from paddock.pool.planning import Wanted
from paddock.pool.specs import Need
from paddock.vocabulary import Priority


@dataclass(slots=True, eq=False, kw_only=True)
class Waiter:
    """One request. `granted` gets its lease, or the reason why it gets none."""

    record: ModelRecord
    need: Need
    user: str
    priority: Priority
    keep_alive_s: float | None
    sets_keep_alive: bool
    arrived_at: float
    give_up_at: float  # it waits for room no longer than this
    deadline_at: float | None  # it waits for anything no longer than this
    granted: asyncio.Future[Lease]

    @property
    def name(self) -> str:
        return self.record.name

    def rank(self, ageing_s: float) -> float:
        """Lower goes first: who came earlier; a step of priority counts as much as `ageing_s` of waiting."""
        return self.arrived_at + (self.priority - Priority.NORMAL) * ageing_s


def wanted(waiters: Iterable[Waiter], *, now: float, turn_s: float) -> list[Wanted]:
    """The models that they wait for, each once: whose first request is the most urgent goes first."""
    groups: dict[str, list[Waiter]] = {}
    for waiter in waiters:
        groups.setdefault(waiter.name, []).append(waiter)
    ranked = sorted(groups.items(), key=lambda group: (min(one.rank(turn_s) for one in group[1]), group[0]))
    return [
        Wanted(
            name=name,
            room_bytes=max(one.need.room_bytes for one in group),
            aged=any(now - one.arrived_at >= turn_s for one in group),
        )
        for name, group in ranked
    ]


def counts(waiters: Iterable[Waiter]) -> Mapping[str, int]:
    """How many wait for which model."""
    found: dict[str, int] = {}
    for waiter in waiters:
        found[waiter.name] = found.get(waiter.name, 0) + 1
    return found
