"""Errors that crossed the wire: a code and two sentences become the exception again."""

from collections.abc import Iterator
from functools import cache

from paddock.errors import PaddockError, RunnerCrashed, UsageError


def error_of(code: str | None, message: str | None, hint: str | None, *, param: str | None = None) -> PaddockError:
    """The exception that `code` stands for; RunnerCrashed for codes that are not ours."""
    kind = _kinds().get(code or "", RunnerCrashed)
    error = kind(
        message or "The runner gave no reason.", hint=hint or "Try again; `paddock doctor` checks the installation."
    )
    if isinstance(error, UsageError):
        error.param = param
    return error


@cache
def _kinds() -> dict[str, type[PaddockError]]:
    return {kind.code: kind for kind in _tree(PaddockError)}


def _tree(kind: type[PaddockError]) -> Iterator[type[PaddockError]]:
    for child in kind.__subclasses__():
        yield from _tree(child)
    yield kind
