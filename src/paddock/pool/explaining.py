"""Why a request got no room: who stays, and what that leaves."""

from collections.abc import Callable, Iterable

from paddock.errors import PaddockError
from paddock.pool import refusals
from paddock.pool.held import Held, named
from paddock.pool.planning import Limits

IsPinned = Callable[[Held], bool]


def is_hopeless(need_bytes: int, held: Iterable[Held], limits: Limits, is_pinned: IsPinned) -> bool:
    """Whether pinned models alone leave too little: waiting changes nothing."""
    pinned = [one for one in held if not one.leaving and is_pinned(one)]
    room_bytes = limits.room_bytes - sum(one.room_bytes for one in pinned)
    return need_bytes > room_bytes or len(pinned) >= limits.models


def why_no_room(
    name: str,
    need_bytes: int,
    held: Iterable[Held],
    limits: Limits,
    is_pinned: IsPinned,
    *,
    machine_bytes: int,
) -> PaddockError | None:
    """NoRoom with who stays, or that the machine has no more; None when there would be enough, had it been its turn.

    `machine_bytes`: what the machine has for all models together, whatever they may take.
    """
    staying = [one for one in held if not one.leaving and (one.leases or one.runner is None or is_pinned(one))]
    free_bytes = limits.room_bytes - sum(one.room_bytes for one in staying)
    free_models = limits.models - len(staying)
    holders = [_holder(one, is_pinned) for one in staying]
    if need_bytes <= free_bytes and free_models >= 1:
        left_bytes = machine_bytes - sum(one.room_bytes for one in staying)
        if need_bytes <= left_bytes:
            return None
        return refusals.machine_full(name, need_bytes, free_bytes=left_bytes, holders=holders)
    return refusals.no_room(
        name,
        need_bytes,
        free_bytes=free_bytes,
        free_models=free_models,
        limits=limits,
        holders=holders,
    )


def _holder(held: Held, is_pinned: IsPinned) -> str:
    if is_pinned(held):
        return f"`{held.name}` (pinned)"
    if held.leases:
        return f"`{held.name}` (in use by {', '.join(named(lease.user for lease in held.leases))})"
    return f"`{held.name}` (being loaded)"
