"""The error tree is what every command and endpoint speaks; a leaf without a code or an exit code would be mute."""

import re
from pathlib import Path

import paddock.errors as errors

DEFINES_ERROR = re.compile(r"^class \w+\((?:PaddockError|UsageError|NotFound|Corrupt|StorageError)\)", re.MULTILINE)


def leaves(kind: type[errors.PaddockError]) -> list[type[errors.PaddockError]]:
    """Those of errors.py: a test may have made one of its own in the same process."""
    children = [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
    return [kind, *(leaf for child in children for leaf in leaves(child))]


def test_every_error_that_the_package_raises_is_in_the_tree() -> None:
    """An error class defined elsewhere would have a code that no document lists."""
    sources = Path(errors.__file__).parent.rglob("*.py")
    elsewhere = [path.name for path in sources if path.name != "errors.py" and DEFINES_ERROR.search(path.read_text())]
    assert elsewhere == []


def test_every_error_has_its_own_code_and_a_known_exit_code() -> None:
    kinds = leaves(errors.PaddockError)
    codes = [kind.code for kind in kinds]
    assert len(codes) == len(set(codes)), "two errors share a code"
    assert all(re.fullmatch("[a-z_]+", code) for code in codes)
    assert {kind.exit_code for kind in kinds} <= {1, 2, 3, 4, 5, 6, 130}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """The drawing at the top of errors.py is what people read first."""
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or "")) | {"PaddockError"}
    assert drawn == {kind.__name__ for kind in leaves(errors.PaddockError)}


def test_another_hint_leaves_the_failure_that_others_were_told_of_as_it_is() -> None:
    told = errors.RateLimited("Too many.", hint="Wait.", retry_after_s=3.0)
    mine = told.with_hint("Wait. Also tried: another.")
    assert isinstance(mine, errors.RateLimited)
    assert (str(mine), mine.hint, mine.retry_after_s) == ("Too many.", "Wait. Also tried: another.", 3.0)
    assert (told.hint, mine.__cause__) == ("Wait.", told)
