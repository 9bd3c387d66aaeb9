"""The text of a custom tool's call, taken out of the arguments of the function that stands for it."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.dialects.responses_custom import TextTaken, arguments_of, custom_tool
from paddock.errors import UsageError


def taken(arguments: str, cuts: list[int]) -> str:
    """What comes out of arguments that are cut at these places."""
    reader, text = TextTaken(), ""
    places = sorted({min(cut, len(arguments)) for cut in cuts} | {0, len(arguments)})
    for start, end in pairwise(places):
        text += reader.feed(arguments[start:end])
    return text + reader.end()


@given(text=st.text(max_size=60), ascii_only=st.booleans(), cuts=st.lists(st.integers(0, 300), max_size=12))
def test_the_text_is_the_same_however_it_is_spelled_and_cut(text: str, *, ascii_only: bool, cuts: list[int]) -> None:
    """A patch that loses a character breaks somebody's file."""
    assert taken(json.dumps({"input": text}, ensure_ascii=ascii_only), cuts) == text
    assert taken(arguments_of(text), cuts) == text


def test_the_text_comes_while_it_is_written() -> None:
    """Who watches a long patch sees it grow."""
    reader = TextTaken()
    assert [reader.feed(piece) for piece in ('{"inp', 'ut": "a\\', "n", "b\\u00", 'e9 c"', "}")] == [
        "",
        "a",
        "\n",
        "b",
        "é c",
        "",
    ]
    assert reader.end() == ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"other": 1}', '{"other": 1}'),
        ("*** Begin Patch", "*** Begin Patch"),
        ('{ "note": "x", "input": "late"}', "late"),
        ("", ""),
        ('{"input": 5}', '{"input": 5}'),
        ('{"input": "broken off', "broken off"),
        ('{"input": "half \\ud83d"}', "half ?"),
    ],
)
def test_arguments_that_are_not_as_they_should_be_are_the_text(arguments: str, text: str) -> None:
    """Models whose calls cannot be held write what they like; none of it is lost."""
    assert taken(arguments, [3, 9, 10]) == text


@pytest.mark.parametrize(
    ("given_tool", "param"),
    [
        ({"name": "a b"}, "tools[0].name"),
        ({}, "tools[0].name"),
        ({"name": "x", "format": {"type": "grammar", "syntax": "lark"}}, "tools[0].format"),
        ({"name": "x", "format": {"type": "poem"}}, "tools[0].format.type"),
    ],
)
def test_a_custom_tool_that_cannot_be_is_refused_by_its_part(given_tool: dict[str, Any], param: str) -> None:
    """As with functions."""
    with pytest.raises(UsageError) as refused:
        custom_tool(given_tool, "tools[0]")
    assert refused.value.param == param
