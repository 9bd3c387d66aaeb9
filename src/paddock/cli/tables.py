"""Tables and fact sheets without frames. A table that is too wide gives up columns, never part of a name.

    NAME                        SIZE  MODIFIED          Licence   apache-2.0
    pony                     13.6 MB  built in          Files     9, of which 2 are here
    org/a-name-too-long-for-its-column
                              4.1 GB  2 days ago

A last cell that is too long goes below its row. Lines are made as text first, so that a test can look at them.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from paddock.cli.screen import Screen

GAP: Final = 2
_WRAP_CELLS_MIN: Final = 24
_ALONE_CELLS: Final = 4

Cell = str | Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`rank` says how soon a column is given up when room is short: 0 never, then the highest first."""

    title: str
    rank: int = 0
    right: bool = False
    wrap: bool = False  # the last column only
    verbatim: bool = False  # the title is a name and stays as it is written


def table_lines(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, width: int) -> list[Text]:
    """The table's lines, heading first, none wider than `width` unless a name itself is."""
    texts = [[_text(cell) for cell in row] for row in rows]
    keep = _columns_that_fit(columns, texts, width)
    columns = [columns[index] for index in keep]
    texts = [[row[index] for index in keep] for row in texts]
    widths = _widths(columns, texts, width)
    heading = [Text(column.title if column.verbatim else column.title.upper(), style="dim") for column in columns]
    lines: list[Text] = []
    for row in [heading, *texts]:
        lines += _row_lines(columns, row, widths)
    return lines


def show_table(screen: Screen, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    for line in table_lines(columns, rows, width=screen.width):
        screen.line(line)


def sheet_lines(facts: Sequence[tuple[str, Cell]], *, width: int) -> list[Text]:
    """One fact a line, its value wrapped beside its label; several values of one label come with empty labels."""
    if not facts:
        return []
    label_cells = max(cell_len(label) for label, _ in facts)
    room = max(_WRAP_CELLS_MIN, width - label_cells - GAP)
    lines: list[Text] = []
    for label, value in facts:
        for position, piece in enumerate(_wrapped(_text(value), room)):
            name = label if position == 0 else ""
            lines.append(Text.assemble((_padded(name, label_cells + GAP), "dim"), piece))
    return lines


def show_sheet(screen: Screen, facts: Sequence[tuple[str, Cell]]) -> None:
    for line in sheet_lines(facts, width=screen.width):
        screen.line(line)


def _columns_that_fit(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int) -> list[int]:
    keep = [index for index in range(len(columns)) if not (columns[index].rank and _is_empty(rows, index))]
    while True:
        needed = sum(_least_cells(columns, rows, index) + GAP for index in keep) - GAP
        ranked = [index for index in keep if columns[index].rank]
        if needed <= width or not ranked:
            return keep
        keep.remove(max(ranked, key=lambda index: columns[index].rank))


def _is_empty(rows: Sequence[Sequence[Text]], index: int) -> bool:
    return bool(rows) and not any(row[index].plain for row in rows)


def _least_cells(columns: Sequence[Column], rows: Sequence[Sequence[Text]], index: int) -> int:
    natural = _natural_cells(columns, rows, index)
    return min(natural, _WRAP_CELLS_MIN) if columns[index].wrap else natural


def _natural_cells(columns: Sequence[Column], rows: Sequence[Sequence[Text]], index: int) -> int:
    return max([cell_len(columns[index].title), *(row[index].cell_len for row in rows)])


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int) -> list[int]:
    """Natural widths; a wrapped last column takes what is left, then the wider of the first and the last gives way."""
    widths = [_natural_cells(columns, rows, index) for index in range(len(columns))]
    too_wide = sum(widths) + GAP * (len(widths) - 1) - width
    if too_wide > 0 and columns[-1].wrap:
        spared = min(too_wide, max(0, widths[-1] - _WRAP_CELLS_MIN))
        widths[-1] -= spared
        too_wide -= spared
    if too_wide > 0:
        narrowed = -1 if widths[-1] > widths[0] else 0
        widths[narrowed] = max(cell_len(columns[narrowed].title), widths[narrowed] - too_wide)
    return widths


def _row_lines(columns: Sequence[Column], row: Sequence[Text], widths: Sequence[int]) -> list[Text]:
    if len(row) > 1 and row[0].cell_len > widths[0]:  # the name stands alone, the rest below it
        return [row[0], *_row_lines(columns, [Text(), *row[1:]], widths)]
    last = len(row) - 1
    if last and row[last].cell_len > widths[last] and not columns[last].wrap:  # the last cell stands alone, too
        alone = Text.assemble(" " * _ALONE_CELLS, row[last])
        return [*_row_lines(columns, [*row[:last], Text()], widths), alone]
    pieces = _wrapped(row[last], widths[last]) if columns[last].wrap else [row[last]]
    line = Text()
    for index, cell in enumerate(row[:last]):
        space = " " * (widths[index] - cell.cell_len)
        line = Text.assemble(line, space, cell) if columns[index].right else Text.assemble(line, cell, space)
        line.append(" " * GAP)
    indent = " " * line.cell_len
    lines: list[Text] = []
    for position, piece in enumerate(pieces):
        space = " " * (widths[last] - piece.cell_len) if columns[last].right else ""
        lines.append(Text.assemble(line if position == 0 else indent, space, piece))
    for one in lines:
        one.rstrip()
    return lines


def _wrapped(text: Text, cells: int) -> list[Text]:
    """Between words, and within a word only when it alone is too long. Styled cells are taken to be short."""
    if text.cell_len <= cells:
        return [text]
    pieces = textwrap.wrap(text.plain, cells, break_long_words=False, break_on_hyphens=False) or [""]
    return [Text(piece, style=text.style) for piece in pieces]


def _padded(text: str, cells: int) -> str:
    return text + " " * (cells - cell_len(text))


def _text(cell: Cell) -> Text:
    return cell.copy() if isinstance(cell, Text) else Text(cell)
