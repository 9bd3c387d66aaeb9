"""`paddock profile`: what `auto` looks for in a model. Profiles are settings, in the file of their owner."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from paddock.cli.application import noun
from paddock.cli.commands.config import tell_server
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import ChangingFlags, Flags
from paddock.cli.screen import Screen
from paddock.cli.tables import Cell, Column, show_table
from paddock.errors import NotFound, UsageError
from paddock.gateway.directory import profiles_of
from paddock.gateway.documents import ProfileList, listed_profiles
from paddock.gateway.profiles import Profile

_NO_FLAGS = Flags()
_NO_CHANGE = ChangingFlags()
_SECTION = "model.routing.profiles"

Name = Annotated[str, Parameter(help="The profile's name, as in `auto:NAME`.")]
Families = Annotated[str | None, Parameter(help="Families of models with `,` between them, best first.")]
Context = Annotated[int | None, Parameter(help="Tokens of context that a model must have.")]
Capable = Annotated[str | None, Parameter(help="What a model must be able to do, with `,` between.")]
Fallback = Annotated[str | None, Parameter(help="The profile that decides when no model suits this one.")]
About = Annotated[str | None, Parameter(help="One line about it.")]

profile = noun("profile", "See and change what `auto` looks for in a model.")


@profile.default
@profile.command(name="list")
async def list_profiles(*, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """See and change what `auto` looks for in a model.

    `auto:NAME` asks for the model that suits a profile best; `auto` for that of `model.routing.default_profile`.
    """
    document = listed_profiles(desk.config)
    desk.answer(document, lambda screen: _show(screen, document))


@profile.command
async def show(name: Name, /, *, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """Show one profile."""
    found = profiles_of(desk.config).get(name)
    desk.answer(found, lambda screen: _show_one(screen, found))


@profile.command
async def add(
    name: Name,
    /,
    *,
    families: Families = None,
    context: Context = None,
    capabilities: Capable = None,
    fallback: Fallback = None,
    description: About = None,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Make a profile of your own; one with the name of a built-in profile stands in its place."""
    if name in desk.config.model.routing.profiles:
        raise UsageError(
            f"There is a profile `{name}` of yours already.", hint="Change it with `paddock profile edit`."
        )
    given = _given(families, context, capabilities, fallback, description)
    await _write(desk, name, given or {"description": ""}, dry_run=flags.dry_run)


@profile.command
async def edit(
    name: Name,
    /,
    *,
    families: Families = None,
    context: Context = None,
    capabilities: Capable = None,
    fallback: Fallback = None,
    description: About = None,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Change a profile; what is not given stays. A built-in one is taken over as your own first."""
    found = profiles_of(desk.config).get(name)
    given = _given(families, context, capabilities, fallback, description)
    if not found.own:
        given = {
            **_given(
                ",".join(found.preferred_families),
                found.min_context_window,
                ",".join(found.required_capabilities),
                found.fallback_profile,
                found.description,
            ),
            **given,
        }
    await _write(desk, name, given, dry_run=flags.dry_run)


@profile.command(name="rm", alias=("remove", "delete"))
async def remove(name: Name, /, *, flags: ChangingFlags = _NO_CHANGE, desk: Given[Desk]) -> None:
    """Remove a profile of yours. A built-in one of its name holds again."""
    from paddock.config.edit import unset_value

    found = profiles_of(desk.config).get(name)
    if not found.own:
        raise NotFound(f"`{name}` is built in.", hint="`paddock profile edit` makes one of yours in its place.")

    def take(path: Path) -> None:
        if not unset_value(path, f"{_SECTION}.{name}"):
            raise NotFound(
                f"`{name}` stands in another place than your own file.",
                hint="`paddock config show --source` says where.",
            )

    _edit(desk.config.paths.config_file, take, dry_run=flags.dry_run)
    note = "" if flags.dry_run else tell_server(desk, "model.routing.default_profile")
    desk.answer(found, lambda screen: screen.line(f"{name} {'would be' if flags.dry_run else 'is'} removed.{note}"))


def _given(
    families: str | None, context: int | None, capabilities: str | None, fallback: str | None, description: str | None
) -> dict[str, str]:
    values = {
        "preferred_families": families,
        "min_context_window": None if context is None else str(context),
        "required_capabilities": capabilities,
        "fallback_profile": fallback,
        "description": description,
    }
    return {name: value for name, value in values.items() if value is not None}


async def _write(desk: Desk, name: str, given: dict[str, str], *, dry_run: bool) -> None:
    from paddock.config.edit import set_values

    path = desk.config.paths.config_file
    _edit(
        path,
        lambda place: set_values(place, {f"{_SECTION}.{name}.{key}": text for key, text in given.items()}),
        dry_run=dry_run,
    )
    if dry_run:
        found = (
            profiles_of(desk.config).get(name)
            if name in {one.name for one in profiles_of(desk.config).all()}
            else Profile(name=name, own=True)
        )
        desk.answer(found, lambda screen: screen.line(f"{name} would be written to {path}."))
        return
    note = tell_server(desk, "model.routing.default_profile")
    found = profiles_of(desk.config_with({})).get(name)
    desk.answer(found, lambda screen: screen.line(f"{name} is written to {path}.{note}"))


def _edit(path: Path, change: Callable[[Path], object], *, dry_run: bool) -> None:
    """Change the file, or with `dry_run` a copy of it that nobody reads: every rule is checked all the same."""
    if not dry_run:
        change(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / path.name
        if path.exists():
            shutil.copy(path, scratch)
        change(scratch)


def _show(screen: Screen, document: ProfileList) -> None:
    rows: list[Sequence[Cell]] = [
        (
            one.name,
            ", ".join(one.preferred_families) or "any",
            f"{one.min_context_window:,}",
            ", ".join(one.required_capabilities),
            document.overrides.get(one.name, ""),
            one.fallback_profile or "",
            "yours" if one.own else "",
        )
        for one in document.profiles
    ]
    columns = (
        Column(title="name"),
        Column(title="families"),
        Column(title="context", right=True),
        Column(title="must do", rank=2),
        Column(title="set to", rank=1),
        Column(title="else", rank=1),
        Column(title="", rank=3),
    )
    show_table(screen, columns, rows)
    screen.line()
    screen.line(f"`auto` follows `{document.default_profile}`.")


def _show_one(screen: Screen, one: Profile) -> None:
    screen.line(f"{one.name}: {one.description}" if one.description else one.name)
    screen.line(f"families: {', '.join(one.preferred_families) or 'any'}")
    screen.line(f"context: {one.min_context_window:,} tokens or more")
    screen.line(f"must do: {', '.join(one.required_capabilities) or 'nothing but text'}")
    screen.line(f"when no model suits: {one.fallback_profile or 'an error'}")


__all__ = ["Profile", "ProfileList", "profile"]
