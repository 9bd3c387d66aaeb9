import fnmatch
import time

import pytest

from paddock.catalog.matching import compile_glob, matches_pattern
from paddock.errors import UsageError


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("llama3.1:*", "llama3.1:8b", True),
        ("llama3.1:*", "llama3x1:8b", False),
        ("llama3.1:*", "LLAMA3.1:8B", True),
        ("qwen?", "qwen2", True),
        ("qwen?", "qwen", False),
        ("qwen[123]", "qwen3", True),
        ("qwen[1-3]", "qwen4", False),
        ("qwen[!1-3]", "qwen4", True),
        ("qwen[^1-3]", "qwen2", False),
        ("a[]]b", "a]b", True),
        ("a[a-]b", "a-b", True),
        ("*", "", True),
        ("?", "", False),
        ("**a**", "bab", True),
        ("a+(b)", "a+(b)", True),
        ("[A-C]x", "bX", True),
    ],
)
def test_a_glob_fits_the_whole_name(pattern: str, name: str, fits: bool) -> None:
    """Dots and brackets of names are letters, not syntax."""
    assert matches_pattern(name, pattern) is fits
    if "^" not in pattern:
        assert fnmatch.fnmatchcase(name.lower(), pattern.lower()) is fits


def test_case_counts_for_files() -> None:
    """`README*` is not `readme.md` on Linux."""
    assert not matches_pattern("readme.md", "README*", ignore_case=False)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "is empty"),
        ("a[bc", "opens `[` at character 2"),
        ("[]", "never closes"),
        ("[z-a]", "`z-a`, which is backwards"),
        ("x" * 513, "longer than 512"),
    ],
)
def test_a_pattern_that_is_none_says_where(pattern: str, message: str) -> None:
    """People type these into their configuration."""
    with pytest.raises(UsageError) as caught:
        compile_glob(pattern)
    assert message in caught.value.message
    assert caught.value.hint


def test_no_pattern_can_stall_the_process() -> None:
    """`*a*a*a…` against aaaa… takes a regex engine longer than the universe has been."""
    started = time.process_time()
    assert not matches_pattern("a" * 1000, "*a" * 200 + "b")
    assert time.process_time() - started < 5
