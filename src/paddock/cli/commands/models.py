"""`paddock list`, `cp`, `keep` and `rm`: the models on this machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from paddock.cli.desk import Desk, Given
from paddock.cli.flags import ChangingFlags, Flags
from paddock.cli.screen import Screen
from paddock.cli.tables import Cell, Column, show_table
from paddock.cli.words import NOT_KNOWN, capabilities, modified, parameters, tokens
from paddock.library.removal import Removed, RemovalKind
from paddock.units import human_bytes
from paddock.vocabulary import ModelInfo, Origin

_NO_FLAGS = Flags()
_NO_CHANGE = ChangingFlags()

Name = Annotated[str, Parameter(help="The model's name, an alias, or a short name that fits only one.")]
Names = Annotated[tuple[str, ...], Parameter(name="MODEL", help="Names of models.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelList:
    models: tuple[ModelInfo, ...]


async def list_models(
    *,
    refresh: Annotated[bool, Parameter(help="Look at every file again.")] = False,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """List the models on this machine.

    Also those that other tools keep here: they are used where they are, and never altered or deleted unasked.
    """
    async with desk.library() as library:
        models = await library.list(refresh=refresh)
    desk.answer(ModelList(models=tuple(models)), lambda screen: _show_list(screen, models, desk.invocation.now()))
    if not desk.flags.json and all(model.origin is Origin.BUILTIN for model in models):
        desk.notice(
            "These models come with Paddock and are for trying it: they are small and know little. "
            "Find real ones with `paddock search`."
        )


_LIST = (
    Column(title="name"),
    Column(title="family", rank=5),
    Column(title="format", rank=2),
    Column(title="size", right=True),
    Column(title="params", right=True, rank=3),
    Column(title="quant", rank=6),
    Column(title="context", right=True, rank=7),
    Column(title="can", rank=4),
    Column(title="modified", rank=1),
)


def _show_list(screen: Screen, models: Sequence[ModelInfo], now: datetime) -> None:
    rows: list[Sequence[Cell]] = [
        (
            _marked(model),
            model.family,
            model.format.value,
            human_bytes(model.size),
            parameters(model.parameters),
            model.quantization or NOT_KNOWN,
            tokens(model.context_window),
            capabilities(model.capabilities),
            modified(model, now),
        )
        for model in models
    ]
    show_table(screen, _LIST, rows)
    marks = {mark for model in models for mark in _marks(model)}
    if marks:
        screen.line()
        screen.line(Text(", ".join(f"{mark} {_MEANS[mark]}" for mark in _MEANS if mark in marks), style="dim"))


_MEANS = {"*": "belongs to another tool", "+": "its owner's files", "!": "pinned"}


def _marks(model: ModelInfo) -> list[str]:
    marks = {Origin.ADOPTED: ["*"], Origin.REGISTERED: ["+"]}.get(model.origin, [])
    return [*marks, "!"] if model.pinned else marks


def _marked(model: ModelInfo) -> Text:
    marks = "".join(_marks(model))
    return Text.assemble(model.name, (f" {marks}", "dim")) if marks else Text(model.name)


async def copy(
    source: Name,
    alias: Annotated[str, Parameter(help="The second name.")],
    /,
    *,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Give a model a second name.

    No file is copied: both names mean the same model from then on.
    """
    async with desk.library() as library:
        if not flags.dry_run:
            await library.copy(source, alias)
        model = (await library.get(source)).info(aliases=(alias,))
    desk.answer(model, lambda screen: screen.line(f"{alias} now means {model.name}."))


async def keep(
    name: Name,
    /,
    *,
    pin: Annotated[
        bool | None, Parameter(negative="--no-pin", help="Whether clean-up must leave it.", show_default=False)
    ] = None,
    alive: Annotated[
        str | None,
        Parameter(
            help="How long it stays in memory unused: `30m`, `0`, `forever`, or `default` to follow the settings."
        ),
    ] = None,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Pin a model, or set how long it stays in memory.

    Without options it says what holds now.
    """
    async with desk.library() as library:
        model = (await library.get(name)).info()
        if pin is not None and not flags.dry_run:
            model = await library.pin(name, pinned=pin)
        if alive is not None and not flags.dry_run:
            model = await library.set_keep_alive(name, None if alive == "default" else alive)
    desk.answer(model, lambda screen: screen.line(_kept(model)))


def _kept(model: ModelInfo) -> str:
    pinned = "pinned" if model.pinned else "not pinned"
    alive = model.keep_alive or "as long as `pool.keep_alive` says"
    return f"{model.name}: {pinned}, stays in memory {alive}."


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalList:
    """What went, or with `--dry-run` what would go."""

    removed: tuple[Removed, ...]
    freed_bytes: int
    dry_run: bool


async def remove(
    names: Names,
    /,
    *,
    adopted: Annotated[bool, Parameter(help="Also delete files that belong to another tool.")] = False,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Remove models from this machine.

    Bytes that other models share stay. A model that is in use is not removed.
    """
    async with desk.library() as library:
        planned = [await library.remove(name, adopted=adopted, dry_run=True) for name in names]
        removed = planned
        if not flags.dry_run:
            if not await desk.confirm(_question(planned)):
                desk.notice("Nothing was removed.")
                return
            removed = [await library.remove(one.name, adopted=adopted) for one in planned]
    document = RemovalList(
        removed=tuple(removed), freed_bytes=sum(one.freed_bytes for one in removed), dry_run=flags.dry_run
    )
    desk.answer(document, lambda screen: _show_removed(screen, document))


def _question(planned: Sequence[Removed]) -> str:
    names = ", ".join(f"`{one.name}`" for one in planned)
    return f"Remove {names} and free {human_bytes(sum(one.freed_bytes for one in planned))}?"


def _show_removed(screen: Screen, document: RemovalList) -> None:
    for one in document.removed:
        screen.line(_removed(one, would=document.dry_run))


def _removed(one: Removed, *, would: bool) -> str:
    if one.kind is RemovalKind.FORGOTTEN:
        return f"{one.name}: {'would be' if would else 'is'} off the list; its files stay in {one.path}."
    kept = f", {human_bytes(one.kept_bytes)} stay for models that share them" if one.kept_bytes else ""
    return f"{one.name}: {'would free' if would else 'removed,'} {human_bytes(one.freed_bytes)}{' freed' if not would else ''}{kept}."
