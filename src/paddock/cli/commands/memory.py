"""`paddock ps`, `load`, `unload` and `warm`: the models in the memory of the server of this home."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter

from paddock.cli.commands.models import Name
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.cli.screen import Screen
from paddock.cli.tables import Cell, Column, show_table
from paddock.cli.words import NOT_KNOWN, ago, several
from paddock.server.models_document import LoadAnswer, LoadedModel, ModelsStatus, UnloadAnswer, WarmAnswer
from paddock.units import human_bytes, human_duration

_NO_FLAGS = Flags()


async def show(*, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """List the models in the server's memory.

    A model is shown with what it was predicted to take and what it took, the requests that use it, and when it leaves.
    """
    async with desk.pool() as pool:
        status = await pool.status()
    desk.answer(status, lambda screen: _show(screen, status, desk.invocation.now()))


async def load(
    name: Name,
    /,
    *,
    pin: Annotated[bool, Parameter(help="Keep it in memory until it is unloaded.")] = False,
    no_warm: Annotated[bool, Parameter(help="Do not run it once afterwards.")] = False,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Bring a model into the server's memory.

    It is run once, so that its first answer comes quickly.
    """
    async with desk.pool() as pool:
        loaded = await pool.load(name, pin=True if pin else None, warm=not no_warm)
    desk.answer(loaded, lambda screen: screen.line(_loaded(loaded)))


async def unload(
    name: Name,
    /,
    *,
    force: Annotated[bool, Parameter(help="Also while requests use it: they end with an error.")] = False,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Take a model out of the server's memory."""
    async with desk.pool() as pool:
        unloaded = await pool.unload(name, force=force)
    desk.answer(unloaded, lambda screen: screen.line(_unloaded(unloaded)))


async def warm(
    name: Name,
    /,
    *,
    prefill_tokens: Annotated[int, Parameter(help="Length of the prompt that it reads.", show_default=True)] = 128,
    tokens: Annotated[int, Parameter(help="Tokens that it then writes.", show_default=True)] = 4,
    keep_loaded: Annotated[
        bool | None,
        Parameter(
            negative="--no-keep-loaded",
            help="Keep it in memory from then on, or unload it afterwards.",
            show_default=False,
        ),
    ] = None,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Run a model once, so that it then answers quickly.

    It is loaded first if it must be.
    """
    async with desk.pool() as pool:
        warmed = await pool.warm(name, prefill_tokens=prefill_tokens, tokens=tokens, keep_loaded=keep_loaded)
    desk.answer(warmed, lambda screen: screen.line(_warmed(warmed)))


_COLUMNS = (
    Column(title="name"),
    Column(title="state"),
    Column(title="memory", right=True),
    Column(title="predicted", right=True, rank=3),
    Column(title="requests", right=True, rank=1),
    Column(title="used", rank=4),
    Column(title="leaves", rank=2),
)


def _show(screen: Screen, status: ModelsStatus, now: datetime) -> None:
    if not status.loaded_models:
        screen.line("No model is in memory.")
    else:
        rows: list[Sequence[Cell]] = [
            (
                name,
                model.state.value,
                NOT_KNOWN if model.measured_bytes is None else human_bytes(model.measured_bytes),
                human_bytes(model.predicted_bytes),
                _requests(model),
                ago(model.last_used, now),
                _leaves(model, now),
            )
            for name, model in status.loaded_models.items()
        ]
        show_table(screen, _COLUMNS, rows)
    for waiting in status.waiting:
        screen.line(f"{several(waiting.requests, 'request')} for {waiting.name} wait for room.")
    screen.line()
    screen.line(
        f"{human_bytes(status.memory.used_bytes)} of {human_bytes(status.memory.budget_bytes)} for models are taken; "
        f"at most {several(status.max_models, 'model')}."
    )


def _requests(model: LoadedModel) -> str:
    waiting = f" ({model.queue} wait)" if model.queue else ""
    return f"{model.leases}{waiting}"


def _leaves(model: LoadedModel, now: datetime) -> str:
    if model.preloaded:
        return "pinned"
    if model.expires_at is None:
        return "in use" if model.leases else "when room is needed"
    return f"in {human_duration(max(0.0, (model.expires_at - now).total_seconds()))}"


def _loaded(loaded: LoadAnswer) -> str:
    pinned = ", pinned" if loaded.preloaded else ""
    if loaded.was_loaded:
        return f"{loaded.model_id} is in memory already: {human_bytes(loaded.memory_bytes)}{pinned}."
    return f"{loaded.model_id} is in memory: {human_bytes(loaded.memory_bytes)} in {loaded.load_seconds:.1f} s{pinned}."


def _unloaded(unloaded: UnloadAnswer) -> str:
    if not unloaded.was_loaded:
        return f"{unloaded.model_id} was not in memory."
    ended = f" {several(unloaded.ended, 'request')} ended with an error." if unloaded.ended else ""
    return f"{unloaded.model_id} has left memory and gave {human_bytes(unloaded.freed_bytes)} back.{ended}"


def _warmed(warmed: WarmAnswer) -> str:
    return f"{warmed.model_id} is warm."
