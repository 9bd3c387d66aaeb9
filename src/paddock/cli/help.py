"""How `--help` looks: two quiet columns, no frames."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

_LABEL_CELLS = 22
_LABEL_CELLS_MAX = 30
_WIDTH_MAX = 110


class CalmFormatter:
    """Renders help for `cyclopts`."""

    def render_usage(self, console: "Console", options: "ConsoleOptions", usage: Any) -> None:
        console.print(f"Usage: {words_of(usage).strip().removeprefix('Usage:').strip()}", style="bold")
        console.print()

    def render_description(self, console: "Console", options: "ConsoleOptions", description: Any) -> None:
        for paragraph in words_of(description).strip().split("\n\n"):
            for line in _wrapped(console, " ".join(paragraph.split()), indent=0):
                console.print(line, soft_wrap=True)
            console.print()

    def __call__(self, console: "Console", options: "ConsoleOptions", panel: "HelpPanel") -> None:
        from rich.padding import Padding
        from rich.text import Text

        rows = [(label(entry), explanation(entry)) for entry in panel.entries]
        if not rows:
            return
        console.print(words_of(panel.title), style="bold")
        indent = _LABEL_CELLS if all(len(name) < _LABEL_CELLS for name, _ in rows) else _LABEL_CELLS_MAX
        for name, text in rows:
            said = _wrapped(console, text, indent=indent + 2)
            beside = len(name) < indent
            first = Text.assemble("  ", name.ljust(indent), said[0]) if beside and said else Text(f"  {name}")
            console.print(first, soft_wrap=True)
            for line in said[1:] if beside else said:
                console.print(Padding(line, (0, 0, 0, indent + 2), expand=False), soft_wrap=True)
        console.print()


def label(entry: "HelpEntry") -> str:
    """The names of a command, argument or option: `list, ls`, `REFERENCE`, `--limit NUMBER`."""
    names = [*entry.positive_names, *entry.positive_shorts]
    if entry.positional_label:
        return entry.positional_label
    return ", ".join(names) + (f" {entry.metavar}" if entry.metavar else "")


def explanation(entry: "HelpEntry") -> str:
    """What it is, then what it may be and what it is when not given."""
    extras = [f"one of {', '.join(entry.choices)}"] if entry.choices else []
    if entry.default is not None:
        extras.append(f"usually {entry.default}")
    text = words_of(entry.description).strip()
    return f"{text} ({'; '.join(extras)})" if extras else text


def with_code(text: str, *, colour: bool = True) -> "Text":
    """Text in which what stands between backticks is set apart; without colour the backticks stay."""
    from rich.text import Text

    if not colour:
        return Text(text)
    styled = Text()
    for position, piece in enumerate(text.split("`")):
        styled.append(piece, style="cyan" if position % 2 else "")
    return styled


def _wrapped(console: "Console", text: str, *, indent: int) -> list["Text"]:
    """Lines without blanks at their ends, with room for `indent` before them."""
    styled = with_code(text, colour=console.color_system is not None and not console.no_color)
    lines = list(styled.wrap(console, max(20, min(console.width, _WIDTH_MAX) - indent)))
    for line in lines:
        line.rstrip()
    return lines


def words_of(value: Any) -> str:
    """The words of whatever cyclopts hands over: text, or something that rich would draw."""
    if not value:  # None, or cyclopts' own nothing
        return ""
    plain = getattr(value, "plain", None)
    if plain is not None:
        return str(plain)
    nested = getattr(value, "primary_renderable", None)
    return words_of(nested) if nested is not None else str(value)
