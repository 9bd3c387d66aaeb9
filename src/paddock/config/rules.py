"""What a setting must be, in words: one place for error messages and for the reference page.

Bounds, choices and plain types speak for themselves; a type of our own carries a `Rule` in its annotation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Rule:
    """`text` completes "temperature …"; `remedy` is a sentence that says what to write instead."""

    text: str
    remedy: str


class UserOnly:
    """Marks settings that a workspace's file may not decide: they say where tokens, prompts and rows go."""


USER_ONLY = UserOnly()


def rule_of(annotation: Any, metadata: Sequence[Any] = ()) -> Rule:
    """The rule that values of this annotation follow."""
    kind, metadata = plain_type(annotation, metadata)
    for part in metadata:
        if isinstance(part, Rule):
            return part
    if get_origin(kind) is Literal:
        return _choice([str(choice) for choice in get_args(kind)])
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _choice([str(choice) for choice in kind])
    if kind is bool:
        return Rule("must be true or false", "Write `true` or `false`; `on` and `off` mean the same.")
    if kind in (int, float):
        return _number("a whole number" if kind is int else "a number", metadata)
    if kind in (str, SecretStr):
        return Rule("must be text", "Put the value into quotes.")
    return Rule("may be anything", "Any YAML value is passed on as it stands.")


def plain_type(annotation: Any, metadata: Sequence[Any] = ()) -> tuple[Any, tuple[Any, ...]]:
    """`annotation` without `Annotated` and without `| None`, and all that was annotated on the way."""
    found = tuple(metadata)
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            found += tuple(more)
        elif get_origin(annotation) in (Union, UnionType):
            choices = [choice for choice in get_args(annotation) if choice is not NoneType]
            if len(choices) != 1:
                return annotation, found
            annotation = choices[0]
        else:
            return annotation, found


def is_optional(annotation: Any) -> bool:
    return NoneType in get_args(annotation)


def words(key: str) -> str:
    """The last part of a dotted key as people say it: `options.top_p` is "top P"."""
    name = key.rpartition(".")[2].replace("_", " ")
    return {"top p": "top P", "top k": "top K", "default": "default model"}.get(name, name)


def _choice(choices: list[str]) -> Rule:
    listed = ", ".join(choices)
    return Rule(f"must be one of {listed}", f"Write one of {listed}.")


def _number(kind: str, metadata: Sequence[Any]) -> Rule:
    low = next((part.ge for part in metadata if isinstance(part, Ge)), None)
    above = next((part.gt for part in metadata if isinstance(part, Gt)), None)
    high = next((part.le for part in metadata if isinstance(part, Le)), None)
    whole = kind == "a whole number"
    if low is not None and high is not None:
        return Rule(
            f"must be {f'{kind} ' if whole else ''}between {low} and {high}", f"Set a value from {low} to {high}."
        )
    if above == 0:
        limit = f", {high} at most" if high is not None else ""
        return Rule(f"must be positive{limit}", f"Set {kind} {'of 1 or more' if whole else 'above 0'}.")
    if low is not None:
        return Rule(f"must be {kind} of {low} or more", f"Set {kind} of {low} or more.")
    return Rule(f"must be {kind}", f"Write {kind}.")
