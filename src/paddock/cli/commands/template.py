"""`paddock template`: prompt templates with variables."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from paddock.cli.application import noun
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import ChangingFlags, Flags
from paddock.cli.reading import read_text
from paddock.cli.screen import Screen
from paddock.cli.tables import Cell, Column, show_table
from paddock.errors import UsageError
from paddock.library.handbook import TemplateEntry

_NO_FLAGS = Flags()
_NO_CHANGE = ChangingFlags()
_TEXT_CHARACTERS_MAX = 1 << 20

Name = Annotated[str, Parameter(help="The template's name.")]
Value = Annotated[
    str,
    Parameter(name="VARIABLE=VALUE", help="Values; what reads as a JSON number, list or object is one."),
]

template = noun("template", "Keep prompt templates, and fill them in.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateList:
    templates: tuple[TemplateEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedTemplate:
    name: str
    text: str


@template.default
@template.command(name="list")
async def list_templates(*, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """Keep prompt templates, and fill them in.

    A template is text with variables: `Summarise {{ text }} in {{ words | default(50) }} words.`
    """
    async with desk.own_library() as library:
        entries = await library.handbook.templates()
    desk.answer(TemplateList(templates=tuple(entries)), lambda screen: _show_list(screen, entries))


@template.command
async def show(name: Name, /, *, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """Print a template's text."""
    async with desk.own_library() as library:
        entry = await library.handbook.template(name)
    desk.answer(entry, lambda screen: screen.line(entry.text))


@template.command
async def save(
    name: Name,
    file: Annotated[Path, Parameter(help="A file with the text; `-` reads it from stdin.", allow_leading_hyphen=True)],
    /,
    *defaults: Value,
    description: Annotated[str | None, Parameter(help="One line about it.")] = None,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Check a template and keep it; one of the same name is replaced. Values given here are its defaults."""
    from paddock.library.prompts.template import parse_template

    text = read_text(desk, file, characters_max=_TEXT_CHARACTERS_MAX)
    checked = parse_template(text)
    if flags.dry_run:
        document = RenderedTemplate(name=name, text=text)
        desk.answer(document, lambda screen: screen.line(f"{name} is a valid template."))
        return
    async with desk.own_library() as library:
        entry = await library.handbook.save_template(name, text, description=description, defaults=_values(defaults))
    variables = ", ".join(sorted(checked.variables)) or "no variables"
    desk.answer(entry, lambda screen: screen.line(f"{name} is kept: {variables}."))


@template.command
async def render(
    name: Name,
    /,
    *values: Value,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Fill in a template and print the prompt."""
    async with desk.own_library() as library:
        text = await library.handbook.render_template(name, _values(values))
    desk.answer(RenderedTemplate(name=name, text=text), lambda screen: screen.line(text))


@template.command(name="rm", alias=("remove", "delete"))
async def remove(name: Name, /, *, flags: ChangingFlags = _NO_CHANGE, desk: Given[Desk]) -> None:
    """Delete a template."""
    async with desk.own_library() as library:
        entry = await library.handbook.template(name)
        if not flags.dry_run:
            if not await desk.confirm(f"Delete the template `{name}`?"):
                desk.notice("Nothing was deleted.")
                return
            await library.handbook.delete_template(name)
    desk.answer(entry, lambda screen: screen.line(f"{name} {'would be' if flags.dry_run else 'is'} deleted."))


def _values(pairs: Sequence[str]) -> dict[str, Any]:
    """`name=value` pairs as plain data: `words=50` is a number, `text=hello` a text."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise UsageError(f"`{pair}` is no value for a variable.", hint="Write it like `words=50`.")
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return values


def _show_list(screen: Screen, entries: Sequence[TemplateEntry]) -> None:
    if not entries:
        screen.line("No templates yet. Keep one with: paddock template save NAME FILE")
        return
    rows: list[list[Cell]] = [
        [entry.name, Text(", ".join(entry.variables)), entry.description or ""] for entry in entries
    ]
    columns = (Column(title="name"), Column(title="variables"), Column(title="about", rank=1, wrap=True))
    show_table(screen, columns, rows)
