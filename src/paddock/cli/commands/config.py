"""`paddock config`: settings, where each comes from, and how to change them."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import Parameter
from rich.text import Text

from paddock.cli.application import noun
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import ChangingFlags, Flags
from paddock.cli.screen import Screen
from paddock.cli.tables import Cell, Column, show_table

if TYPE_CHECKING:
    from paddock.config.paths import Paths

T = TypeVar("T")

_NO_FLAGS = Flags()
_NO_CHANGE = ChangingFlags()

Key = Annotated[str, Parameter(help="A dotted key, like `disk.factor`.")]
Here = Annotated[bool, Parameter(name="--workspace", help="The file of this folder, `.paddock/config.yaml`.")]

config = noun("config", "Show and change settings.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingLine:
    """One setting in force and where it comes from."""

    key: str
    value: Any
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingList:
    settings: tuple[SettingLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    path: str
    exists: bool


@config.command
def show(
    prefix: Annotated[str | None, Parameter(help="Only settings below this key, like `disk`.")] = None,
    /,
    *,
    source: Annotated[bool, Parameter(help="Also say where each value comes from.")] = False,
    changed: Annotated[bool, Parameter(help="Only what differs from the defaults.")] = False,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Show the settings in force.

    Flags go over environment variables, those over `.paddock/config.yaml`, that over your own file, that over defaults.
    """
    from paddock.config.keys import suggestion
    from paddock.config.lookup import all_values
    from paddock.errors import InvalidConfig

    lines = [SettingLine(key=one.key, value=one.value, source=one.source) for one in all_values(desk.config)]
    if prefix is not None:
        lines = [one for one in lines if one.key == prefix or one.key.startswith(f"{prefix}.")]
        if not lines:
            raise InvalidConfig(f"`{prefix}` is not a setting.", hint=suggestion(tuple(prefix.split("."))))
    if changed:
        lines = [one for one in lines if one.source != "default"]
    desk.answer(SettingList(settings=tuple(lines)), lambda screen: _show(screen, lines, sources=source))


@config.command
def get(key: Key, /, *, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """Print one setting."""
    from paddock.config.lookup import get_value

    found = get_value(desk.config, key)
    line = SettingLine(key=found.key, value=found.value, source=found.source)
    desk.answer(line, lambda screen: screen.line(_written(line.value)))


@config.command(name="set")
def set_(
    key: Key,
    value: Annotated[str, Parameter(help="The value as it would stand in the file.", allow_leading_hyphen=True)],
    /,
    *,
    workspace: Here = False,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Change a setting in your file; comments stay.

    What would break a rule is refused before anything is written.
    """
    from paddock.config.edit import set_value

    path = _file(desk, workspace=workspace)
    _edit(path, lambda place: set_value(place, key, value), dry_run=flags.dry_run)
    line = SettingLine(key=key, value=value, source=str(path))
    said = "would be" if flags.dry_run else "is"
    note = "" if flags.dry_run else tell_server(desk, key)
    desk.answer(line, lambda screen: screen.line(f"{key} {said} {value} in {path}.{note}"))


@config.command
def unset(key: Key, /, *, workspace: Here = False, flags: ChangingFlags = _NO_CHANGE, desk: Given[Desk]) -> None:
    """Take a setting out of your file, so that its default holds."""
    from paddock.config.edit import unset_value

    path = _file(desk, workspace=workspace)
    was_there = _edit(path, lambda place: unset_value(place, key), dry_run=flags.dry_run)
    said = "would be" if flags.dry_run else "is"
    note = tell_server(desk, key) if was_there and not flags.dry_run else ""
    text = f"{key} {said} out of {path}.{note}" if was_there else f"{key} was not in {path}."
    desk.answer(SettingLine(key=key, value=None, source=str(path)), lambda screen: screen.line(text))


@config.command
def init(*, workspace: Here = False, flags: ChangingFlags = _NO_CHANGE, desk: Given[Desk]) -> None:
    """Write a complete example, explained line by line. A file that is there stays."""
    from paddock.config.edit import write_example

    path = _file(desk, workspace=workspace)
    _edit(path, write_example, dry_run=flags.dry_run)
    said = "would be" if flags.dry_run else "is"
    desk.answer(ConfigFile(path=str(path), exists=path.exists()), lambda screen: screen.line(f"{path} {said} written."))


@config.command
def path(*, workspace: Here = False, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """Print where your settings file is, or would be."""
    place = _file(desk, workspace=workspace)
    desk.answer(ConfigFile(path=str(place), exists=place.exists()), lambda screen: screen.line(str(place)))


def _file(desk: Desk, *, workspace: bool) -> Path:
    paths = _paths(desk)
    return paths.workspace_file if workspace else paths.config_file


def _paths(desk: Desk) -> "Paths":
    """Found without reading a settings file: one that is broken can still be mended."""
    import sys

    from paddock.config.paths import find_paths

    invocation = desk.invocation
    home = Path(invocation.environment.get("HOME") or Path.home())
    return find_paths(invocation.environment, workspace=invocation.workspace, home=home, platform=sys.platform)


def tell_server(desk: Desk, key: str) -> str:
    """Let the server of this home take it up, if one runs; what it says of that. The file is written either way."""
    from paddock.client.discovery import find_server
    from paddock.errors import PaddockError

    server = find_server(_paths(desk).state)
    if server is None:
        return ""
    import asyncio

    from paddock.client.opening import connected
    from paddock.server.routes.admin.shapes import SettingChanged

    async def tell() -> str:
        async with connected(server) as connection:
            return (await connection.post("/admin/config/reread", SettingChanged, {"key": key})).note

    try:
        return f" The server that runs: {asyncio.run(tell())}"
    except PaddockError as error:
        return f" The server that runs did not take it up: {error.message}"


def _edit(path: Path, change: Callable[[Path], T], *, dry_run: bool) -> T:
    """Change the file, or with `dry_run` a copy of it that nobody reads: every rule is checked all the same."""
    if not dry_run:
        return change(path)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / path.name
        if path.exists():
            shutil.copy(path, scratch)
        return change(scratch)


def _show(screen: Screen, lines: Sequence[SettingLine], *, sources: bool) -> None:
    rows: list[list[Cell]] = [
        [line.key, Text(_written(line.value), style="dim" if line.source == "default" else ""), line.source]
        for line in lines
    ]
    columns = [Column(title="setting"), Column(title="value"), Column(title="source", wrap=True)]
    show_table(screen, columns if sources else columns[:2], [row if sources else row[:2] for row in rows])


def _written(value: Any) -> str:
    """As it would stand in the file."""
    match value:
        case None:
            return "not set"
        case bool():
            return "true" if value else "false"
        case list():
            return ", ".join(str(item) for item in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case _:
            return str(value)
