"""`paddock registry`: models known by a short name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from paddock.cli.application import noun
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import ChangingFlags, Flags
from paddock.cli.screen import Screen
from paddock.cli.tables import Cell, Column, show_table
from paddock.library.handbook import RegistryEntry

_NO_FLAGS = Flags()
_NO_CHANGE = ChangingFlags()

registry = noun("registry", "List and change models known by a short name.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryList:
    """`own` entries are yours, the others come with Paddock."""

    entries: tuple[RegistryEntry, ...]


@registry.default
@registry.command(name="list")
async def list_entries(*, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """List and change models known by a short name.

    `paddock pull NAME` fetches any of them. Share yours with `paddock export --registry FILE`.
    """
    async with desk.own_library() as library:
        entries = await library.handbook.registry()
    desk.answer(RegistryList(entries=tuple(entries)), lambda screen: _show(screen, entries))


@registry.command
async def add(
    name: Annotated[str, Parameter(help="The short name.")],
    reference: Annotated[str, Parameter(help="What it stands for, as for `paddock pull`.")],
    /,
    *,
    description: Annotated[str | None, Parameter(help="One line about it.")] = None,
    sha256: Annotated[str | None, Parameter(help="What a file behind an https URL must hash to.")] = None,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Know a model by a short name; a name of yours hides one of Paddock's."""
    entry = RegistryEntry(name=name, reference=reference, description=description, sha256=sha256)
    async with desk.own_library() as library:
        if not flags.dry_run:
            entry = await library.handbook.add(entry)
    desk.answer(entry, lambda screen: screen.line(f"{name} now stands for {reference}. Fetch it: paddock pull {name}"))


@registry.command(name="rm", alias=("remove", "delete"))
async def remove(
    name: Annotated[str, Parameter(help="A short name of yours.")],
    /,
    *,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Forget a short name of yours. No model is removed."""
    async with desk.own_library() as library:
        if not flags.dry_run:
            await library.handbook.forget(name)
        entries = await library.handbook.registry()
    desk.answer(RegistryList(entries=tuple(entries)), lambda screen: screen.line(f"{name} is forgotten."))


def _show(screen: Screen, entries: Sequence[RegistryEntry]) -> None:
    rows: list[list[Cell]] = [
        [entry.name, entry.reference, "yours" if entry.own else "", entry.description or ""] for entry in entries
    ]
    columns = (
        Column(title="name"),
        Column(title="stands for"),
        Column(title="", rank=2),
        Column(title="about", rank=1, wrap=True),
    )
    show_table(screen, columns, rows)
