"""Tables fit the terminal, and names stay whole so that they can be copied."""

from rich.text import Text

from paddock.cli.tables import Column, sheet_lines, table_lines

COLUMNS = (
    Column(title="name"),
    Column(title="family", rank=2),
    Column(title="size", right=True),
    Column(title="changed", rank=1),
)
ROWS = [("pony", "qwen", "11.9 MB", "built in"), ("org/some-model", "llama", "4.1 GB", "yesterday")]


def lines(columns: tuple[Column, ...], rows: list[tuple[str, ...]], width: int) -> list[str]:
    return [line.plain for line in table_lines(columns, rows, width=width)]


def test_columns_line_up_and_numbers_stand_right() -> None:
    assert lines(COLUMNS, ROWS, 80) == [
        "NAME            FAMILY     SIZE  CHANGED",
        "pony            qwen    11.9 MB  built in",
        "org/some-model  llama    4.1 GB  yesterday",
    ]


def test_a_narrow_terminal_gives_up_the_least_important_columns_first() -> None:
    assert lines(COLUMNS, ROWS, 36) == [
        "NAME               SIZE  CHANGED",
        "pony            11.9 MB  built in",
        "org/some-model   4.1 GB  yesterday",
    ]
    assert lines(COLUMNS, ROWS, 30)[0] == "NAME               SIZE"


def test_a_name_that_is_too_long_stands_alone_and_whole() -> None:
    """A name that was cut cannot be pasted into the next command."""
    rows = [("pony", "qwen", "11.9 MB", ""), ("organisation/a-very-long-name-of-a-model", "llama", "4.1 GB", "")]
    assert lines(COLUMNS, rows, 30) == [
        "NAME                      SIZE",
        "pony                   11.9 MB",
        "organisation/a-very-long-name-of-a-model",
        "                        4.1 GB",
    ]


def test_a_last_cell_that_is_too_long_goes_below() -> None:
    columns = (Column(title="file"), Column(title="hash"))
    rows = [("a.json", "short"), ("b.json", "0123456789abcdef0123")]
    assert lines(columns, rows, 20) == ["FILE    HASH", "a.json  short", "b.json", "    0123456789abcdef0123"]


def test_prose_wraps_within_its_column() -> None:
    columns = (Column(title="name"), Column(title="why", wrap=True))
    rows = [("pony", "it was not used for a long time and nobody pinned it either")]
    assert lines(columns, rows, 36) == [
        "NAME  WHY",
        "pony  it was not used for a long",
        "      time and nobody pinned it",
        "      either",
    ]


def test_a_column_without_a_value_is_left_out() -> None:
    rows = [("pony", "", "1 kB", "now")]
    assert lines(COLUMNS, rows, 80)[0] == "NAME  SIZE  CHANGED"


def test_wide_letters_count_as_wide() -> None:
    """Chinese names take two cells a letter on a terminal."""
    rows = [("模型", "q", "1 kB", ""), ("abcd", "q", "1 kB", "")]
    assert lines(COLUMNS, rows, 80)[1:] == ["模型  q       1 kB", "abcd  q       1 kB"]


def test_a_sheet_wraps_values_beside_their_labels() -> None:
    facts = [("Model", "pony"), ("Runs here", Text("incompatible: " + "its weights are pickles " * 3))]
    assert [line.plain for line in sheet_lines(facts, width=46)] == [
        "Model      pony",
        "Runs here  incompatible: its weights are",
        "           pickles its weights are pickles its",
        "           weights are pickles",
    ]
    assert sheet_lines([], width=80) == []
