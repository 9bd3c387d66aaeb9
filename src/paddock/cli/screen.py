"""One stream to write on: how wide it is, whether it may have colour, and the few things we ever write."""

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_UNLIMITED_CELLS = 10_000  # what is piped is never cut
_SENTENCE_CELLS_MAX = 100  # longer lines are hard to read, however wide the terminal


class Screen:
    """Writes text for people. Rich is loaded when something needs it."""

    def __init__(self, stream: TextIO, *, width: int, colour: bool, terminal: bool) -> None:
        self.stream = stream
        self.width = width
        self.colour = colour
        self.is_terminal = terminal

    @classmethod
    def on(cls, stream: TextIO, environment: Mapping[str, str]) -> "Screen":
        """A screen as wide as `COLUMNS` or the terminal says; colour only on a terminal without `NO_COLOR`."""
        terminal = stream.isatty()
        plain = bool(environment.get("NO_COLOR")) or environment.get("TERM") == "dumb"
        return cls(stream, width=_width(stream, environment), colour=terminal and not plain, terminal=terminal)

    @cached_property
    def console(self) -> "Console":
        from rich.console import Console

        return Console(
            file=self.stream,
            width=self.width,
            color_system="auto" if self.colour else None,
            force_terminal=self.is_terminal,
            no_color=not self.colour,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def line(self, text: "str | Text" = "", *, style: str = "") -> None:
        """One line as it is: neither wrapped nor cut."""
        if self.colour:
            self.console.print(text, style=style or None, soft_wrap=True)
        else:
            self.stream.write(str(text) + "\n")

    def sentence(self, text: str, *, style: str = "") -> None:
        """Prose: wrapped between words; what stands between backticks is set apart."""
        if not self.is_terminal:
            self.stream.write(text + "\n")
            return
        from paddock.cli.help import with_code

        styled = with_code(text, colour=self.colour)
        styled.style = style
        self.console.print(styled, width=min(self.width, _SENTENCE_CELLS_MAX))

    def flush(self) -> None:
        self.stream.flush()


def _width(stream: TextIO, environment: Mapping[str, str]) -> int:
    columns = environment.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    if not stream.isatty():
        return _UNLIMITED_CELLS
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):  # a terminal that will not say, or a stream that has no number
        return 80
