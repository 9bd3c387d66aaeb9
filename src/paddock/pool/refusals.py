"""The sentences with which the pool says no."""

from collections.abc import Sequence

from paddock.errors import (
    DeadlinePassed,
    InUse,
    NoRoom,
    NotEnoughMemory,
    Overloaded,
    PaddockError,
    RunnerCrashed,
)
from paddock.pool.planning import Limits
from paddock.units import human_bytes, human_duration


def too_large(name: str, need_bytes: int, limits: Limits) -> NotEnoughMemory:
    return NotEnoughMemory(
        f"`{name}` needs {human_bytes(need_bytes)}; all models together may take {human_bytes(limits.room_bytes)}.",
        hint="Raise `pool.memory`, or take a smaller quantization of the model.",
    )


def no_room(
    name: str, need_bytes: int, *, free_bytes: int, free_models: int, limits: Limits, holders: Sequence[str]
) -> NoRoom:
    """`free_…`: what is free, or could be; `holders`: who keeps the rest, each a phrase."""
    if free_models < 1:
        room = f"all {limits.models} places are taken" if limits.models > 1 else "the one place is taken"
    else:
        room = f"{human_bytes(max(0, free_bytes))} of {human_bytes(limits.room_bytes)} can be had"
    return NoRoom(
        f"`{name}` needs {human_bytes(need_bytes)}, but {room}: {', '.join(holders)}.",
        hint="Try again when they are done, unpin or unload one of them, or raise `pool.memory` or `pool.max_models`.",
    )


def machine_full(name: str, need_bytes: int, *, free_bytes: int, holders: Sequence[str]) -> PaddockError:
    """Models may take more, but this machine has not got it. NoRoom when `holders` could give some back."""
    said = f"`{name}` needs {human_bytes(need_bytes)}, but this machine has {human_bytes(max(0, free_bytes))} free"
    if not holders:
        return NotEnoughMemory(
            f"{said}.", hint="End programs that take much memory, or take a smaller quantization of the model."
        )
    return NoRoom(
        f"{said}: {', '.join(holders)}.",
        hint="Try again when they are done, unpin or unload one of them, or end other programs.",
    )


def waited_too_long(name: str, wait_s: float, *, ahead: int, retry_after_s: float) -> Overloaded:
    return Overloaded(
        f"`{name}` had no turn within {human_duration(wait_s)}: {ahead} other models were waited for.",
        hint="Try again in a moment, or raise `pool.wait_max_s`, `pool.memory` or `pool.max_models`.",
        retry_after_s=retry_after_s,
    )


def queue_is_full(name: str, waiting: int, *, retry_after_s: float) -> Overloaded:
    return Overloaded(
        f"{waiting} requests wait for a model already; `{name}` takes no more.",
        hint="Try again in a moment, or raise `pool.queue_max`.",
        retry_after_s=retry_after_s,
    )


def deadline_passed(name: str) -> DeadlinePassed:
    return DeadlinePassed(
        f"`{name}` was not in memory before the request's deadline.",
        hint="Allow more time, or load the model first with `paddock load`.",
    )


def in_use(name: str, users: Sequence[str]) -> InUse:
    return InUse(
        f"`{name}` is in use by {', '.join(users)}.",
        hint="Try again when they are done, or end them with `--force`.",
    )


def unloaded_meanwhile(name: str) -> RunnerCrashed:
    return RunnerCrashed(f"`{name}` was unloaded while it was being loaded.", hint="Load it again.")


def ending(name: str) -> RunnerCrashed:
    return RunnerCrashed(f"`{name}` cannot be used any more: Paddock is ending.", hint="Start Paddock again.")
