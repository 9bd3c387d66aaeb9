"""The error tree is what every command and endpoint speaks; a leaf without a code or an exit code would be mute."""

import re

import paddock.errors as errors


def leaves(kind: type[errors.PaddockError]) -> list[type[errors.PaddockError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in leaves(child))]


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
