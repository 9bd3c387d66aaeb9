"""Whatever is in a settings file, the answer is data or an error with a place; never a traceback, never a hang."""

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.config.yaml_file import FILE_BYTES_MAX, parse_document, parse_value, read_document
from paddock.errors import InvalidConfig

from .conftest import Machine

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_lines_are_those_of_the_file() -> None:
    document = parse_document(b"# comment\noptions:\n  temperature: 0.5\n\nmodels: {a: {pin: true}}\n", "x")
    assert document.data == {"options": {"temperature": 0.5}, "models": {"a": {"pin": True}}}
    assert document.lines["options",] == 2
    assert document.lines["options", "temperature"] == 3
    assert document.lines["models", "a", "pin"] == 5


@pytest.mark.parametrize(
    ("content", "place", "says"),
    [
        (b"a: [1, 2\nb: 3\n", "line 2, column 2", ""),
        (b"a: 1\n\tb: 2\n", "line 2, column 1", ""),
        (b"a: 1\nb: 'open\n", "line 3", ""),
        (b"a: 1\na: 2\n", "line 2, column 1", "given twice"),
        (b"a: {b: 1, b: 2}", "line 1, column 11", "given twice"),
        (b"a: &x {b: *x}", "line 1", "points back"),
        (b"a: &x [*x]", "line 1", "points back"),
        (b"a: *nobody", "line 1, column 4", "undefined alias"),
        (BOMB.encode(), "line", "with aliases written out"),
        (b"- a\n- b\n", "line 1, column 1", "sections"),
        (b"just text", "line 1, column 1", "sections"),
        (b"a: 1\n---\nb: 2\n", "line 2, column 1", ""),
        (b"a: \xff\xfe", "line 1, column 4", "UTF-8"),
        (b"a: 1\nb: \x07\n", "line 2, column 4", "character"),
        (b"a: !!python/object:os.system x", "line 1", "tag"),
        (b"a: !!int x", "line 1, column 4", "cannot be read"),
        (b"a: !!int ''", "line 1, column 4", "cannot be read"),
        (b"a: !!bool q", "line 1, column 4", "cannot be read"),
        (b"a: " + b"9" * 5000, "line 1, column 4", "cannot be read"),
        (b"? [a]\n: b\n", "line 1, column 3", "plain text"),
        (b"a: &x {b: 1}\nc: {<<: *x}\n", "line 2", "merge keys"),
        (b"[" * 100_000, "line 1", "depth"),
        (b"a: " + b"{a: " * 5000, "line 1", "depth"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_settings_file_is_refused_with_its_place(content: bytes, place: str, says: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        parse_document(content, "settings.yaml")
    assert caught.value.message.startswith("`settings.yaml`, ")
    assert place in caught.value.message
    assert says in caught.value.message


def test_a_file_larger_than_a_megabyte_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"#" * (FILE_BYTES_MAX + 1))
    with pytest.raises(InvalidConfig, match="larger than"):
        read_document(path)


def test_an_alias_bomb_is_refused_at_once() -> None:
    """Ten lines that would unfold to a billion values."""
    start = time.process_time()
    with pytest.raises(InvalidConfig):
        parse_document(BOMB.encode(), "x")
    assert time.process_time() - start < 5


@pytest.mark.parametrize("content", [b"", b"# only a comment\n", b"---\n", b"null\n", b"\xef\xbb\xbf# a mark\n"])
def test_an_empty_file_says_nothing(content: bytes) -> None:
    assert parse_document(content, "x").data == {}


@pytest.mark.parametrize(
    ("text", "value"), [("off", "off"), ("true", True), ("0.5", 0.5), ("2026-01-01", "2026-01-01"), ("", None)]
)
def test_a_value_is_read_as_yaml_1_2(text: str, value: object) -> None:
    assert parse_value(text, "x") == value


@pytest.mark.parametrize("written", ["off", "false", "Off", "'off'"])
def test_auto_prune_off_is_off_however_it_is_written(machine: Machine, written: str) -> None:
    machine.user_says(f"disk: {{auto_prune: {written}}}")
    assert machine.load().disk.auto_prune is False


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.binary(max_size=200), st.text(alphabet="ab:-{}[]&*!|>'\"#%@, \n\t?<\\0", max_size=80).map(str.encode))
)
def test_any_bytes_are_data_or_an_error(content: bytes) -> None:
    with contextlib.suppress(InvalidConfig):
        assert isinstance(parse_document(content, "x").data, dict)
