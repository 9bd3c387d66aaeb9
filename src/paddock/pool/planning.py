"""Who may load, who must leave, who takes no new requests: pure functions of what is in memory and what is wanted.

The order of `wanted` is the queue: whoever is first gets room first. One that has waited too long holds on to the room
that will come free, and asks models that are in use to end: they take no new requests, finish what they have, and leave.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Policy(StrEnum):
    """Which idle model leaves first."""

    LRU = "lru"  # whose last request came longest ago
    LARGEST = "largest"
    IDLE = "idle"  # whose last request ended longest ago


class Standing(StrEnum):
    """What a model in memory is doing, as far as room is concerned."""

    LOADING = "loading"
    READY = "ready"
    LEAVING = "leaving"  # its room comes free soon


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """A model that takes room."""

    name: str
    room_bytes: int
    standing: Standing = Standing.READY
    in_use: bool = False
    pinned: bool = False
    used_at: float = 0.0  # its last request came
    idle_since: float = 0.0  # its last request ended
    stays_until: float = 0.0  # it was loaded so recently that moving it out would be thrashing
    draining: bool = False  # it was asked to end already


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A model that requests wait for."""

    name: str
    room_bytes: int
    aged: bool = False  # they have waited too long


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What all models together may take."""

    models: int
    room_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do now. `drain`: all that take no new requests until they have left."""

    load: tuple[str, ...] = ()
    evict: tuple[str, ...] = ()
    drain: frozenset[str] = frozenset()


def may_leave(resident: Resident) -> bool:
    """Whether it could be moved out at once."""
    return resident.standing is Standing.READY and not resident.in_use and not resident.pinned


def choose_victims(
    residents: Sequence[Resident], needed_bytes: int, *, needed_models: int = 0, policy: Policy = Policy.LRU
) -> tuple[str, ...]:
    """The idle models that leave so that `needed_bytes` and `needed_models` places come free: no more than that takes.

    Never one that is pinned or in use. Empty when nothing is needed, and when even all of them would not do.
    """
    return _fewest(in_order([one for one in residents if may_leave(one)], policy), needed_bytes, needed_models)


def choose_under_pressure(
    residents: Sequence[Resident], needed_bytes: int, *, policy: Policy = Policy.LRU
) -> tuple[str, ...]:
    """As `choose_victims`, but all that may leave when they do not do: the machine is short of memory, anything helps."""
    if needed_bytes <= 0:
        return ()
    idle = in_order([one for one in residents if may_leave(one)], policy)
    return _fewest(idle, needed_bytes, 0) or tuple(one.name for one in idle)


def choose_in_excess(residents: Sequence[Resident], limits: Limits, *, policy: Policy = Policy.LRU) -> tuple[str, ...]:
    """The idle models that leave because more is in memory than `limits` allow: one took more than was predicted, or the
    limits have shrunk. As many as it takes; all that may leave when they do not do, for the others leave once they can."""
    staying = [one for one in residents if one.standing is not Standing.LEAVING]
    over_bytes = sum(one.room_bytes for one in staying) - limits.room_bytes
    over_models = len(staying) - limits.models
    if over_bytes <= 0 and over_models <= 0:
        return ()
    idle = in_order([one for one in staying if may_leave(one)], policy)
    return _fewest(idle, over_bytes, over_models) or tuple(one.name for one in idle)


def choose_to_drain(
    residents: Sequence[Resident], needed_bytes: int, *, needed_models: int = 0, policy: Policy = Policy.LRU
) -> tuple[str, ...]:
    """The same among models that may be in use: those that take no new requests until they have left.

    Those that were asked already come first, so that nobody is asked in vain; then idle ones.
    """
    ready = [one for one in residents if one.standing is Standing.READY and not one.pinned]
    ordered = sorted(in_order(ready, policy), key=lambda one: (not one.draining, one.in_use))
    return _fewest(ordered, needed_bytes, needed_models)


def in_order(residents: Sequence[Resident], policy: Policy) -> list[Resident]:
    """Who leaves first comes first; among equals, whoever was used longest ago."""
    match policy:
        case Policy.LRU:
            return sorted(residents, key=lambda one: (one.used_at, one.name))
        case Policy.LARGEST:
            return sorted(residents, key=lambda one: (-one.room_bytes, one.used_at, one.name))
        case Policy.IDLE:
            return sorted(residents, key=lambda one: (one.idle_since, one.used_at, one.name))


def make_plan(
    residents: Sequence[Resident], wanted: Sequence[Wanted], limits: Limits, *, policy: Policy, now: float
) -> Plan:
    """What to do now, for `wanted` in their order. None of them is in memory.

    Room is promised to one of them only. Whoever cannot have enough lets the next try, until it has waited too long.
    """
    free_bytes = limits.room_bytes - sum(one.room_bytes for one in residents)
    free_models = limits.models - len(residents)
    coming = [one for one in residents if one.standing is Standing.LEAVING]
    coming_bytes, coming_models = sum(one.room_bytes for one in coming), len(coming)
    left = {one.name: one for one in residents if one.standing is Standing.READY and one.stays_until <= now}
    load: list[str] = []
    evict: list[str] = []
    drain: list[str] = []
    for one in wanted:
        if one.room_bytes <= free_bytes and free_models >= 1:
            load.append(one.name)
        else:
            short_bytes = one.room_bytes - free_bytes - coming_bytes
            short_models = 1 - free_models - coming_models
            if short_bytes > 0 or short_models > 0:
                candidates = list(left.values())
                victims = choose_victims(candidates, short_bytes, needed_models=short_models, policy=policy)
                if not victims and one.aged:
                    victims = choose_to_drain(candidates, short_bytes, needed_models=short_models, policy=policy)
                if not victims:
                    continue  # the next may need less
                for name in victims:
                    victim = left.pop(name)
                    (drain if victim.in_use else evict).append(name)
                    coming_bytes += victim.room_bytes
                    coming_models += 1
        free_bytes -= one.room_bytes  # below zero: room that is still to come free is promised
        free_models -= 1
    return Plan(load=tuple(load), evict=tuple(evict), drain=frozenset(drain))


def _fewest(ordered: Sequence[Resident], needed_bytes: int, needed_models: int) -> tuple[str, ...]:
    """From the front as many as it takes, less those that turn out not to be needed; empty when all are too few."""
    chosen: list[Resident] = []
    for one in ordered:
        if _enough(chosen, needed_bytes, needed_models):
            break
        chosen.append(one)
    if not _enough(chosen, needed_bytes, needed_models):
        return ()
    for one in tuple(chosen):
        others = [other for other in chosen if other is not one]
        if _enough(others, needed_bytes, needed_models):
            chosen = others
    return tuple(one.name for one in chosen)


def _enough(chosen: Sequence[Resident], needed_bytes: int, needed_models: int) -> bool:
    return sum(one.room_bytes for one in chosen) >= needed_bytes and len(chosen) >= needed_models
