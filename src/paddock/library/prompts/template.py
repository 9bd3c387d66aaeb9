"""Prompt templates with variables: `Summarise {{ text }} in {{ words | default(50) }} words.`

Templates come from other people, too (a registry that was imported), so they are written in the small language of
`prompt_language`: what it does not know is refused when a template is saved, not when it is used. Pure functions.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from jinja2 import TemplateError, meta

from paddock.errors import InvalidTemplate
from paddock.library.prompts.language import checked_tree, compiled, optional_names
from paddock.library.prompts.limits import (
    BUDGET,
    INTEGER_MAX,
    OUTPUT_CHARACTERS_MAX,
    Budget,
    is_text,
    nearest,
    too_long,
    wrong,
)

VARIABLES_MAX = 100
VALUES_MAX = 100_000  # leaves of everything given
VALUE_CHARACTERS_MAX = OUTPUT_CHARACTERS_MAX
VALUE_DEPTH_MAX = 20


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """A template that was checked. `required` variables must be given; for `optional` ones it provides by itself."""

    text: str
    required: frozenset[str]
    optional: frozenset[str]

    @property
    def variables(self) -> frozenset[str]:
        return self.required | self.optional


def parse_template(text: str) -> PromptTemplate:
    """Check `text`. Raises InvalidTemplate, which says what is wrong with it and in which line."""
    tree = checked_tree(text)
    compiled(tree)
    names = meta.find_undeclared_variables(tree)
    if len(names) > VARIABLES_MAX:
        raise wrong(f"it has {len(names)} variables, {VARIABLES_MAX} are allowed")
    optional = frozenset(names & set(optional_names(tree)))
    return PromptTemplate(text=text, required=frozenset(names) - optional, optional=optional)


def render(
    template: PromptTemplate | str,
    variables: Mapping[str, object],
    *,
    defaults: Mapping[str, object] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """The prompt. Values are plain data: texts, numbers, truth values, and lists and mappings of them.

    `defaults` fill in for variables that are not given. Raises InvalidTemplate for a variable that is missing or
    unknown, for a value that is no plain data, and for a template that would take too long or write too much.
    """
    if isinstance(template, str):
        template = parse_template(template)
    for name in variables:
        if name not in template.variables:
            raise wrong(f"it has no variable `{name[:80]}`", hint=nearest(name, template.variables, "variable"))
    given = {name: value for name, value in (defaults or {}).items() if name in template.variables} | dict(variables)
    if missing := sorted(template.required - given.keys()):
        listed = ", ".join(f"`{name}`" for name in missing)
        raise wrong(f"{listed} must be given", hint=f"Give a value for {listed}.")
    _ValueCheck().check(given)
    return _rendered(template.text, given, Budget(clock))


def _rendered(text: str, values: Mapping[str, object], budget: Budget) -> str:
    pieces: list[str] = []
    length = 0
    try:
        for piece in compiled(checked_tree(text)).generate({**values, BUDGET: budget}):
            length += len(piece)
            if length > OUTPUT_CHARACTERS_MAX:
                raise too_long()
            pieces.append(piece)
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise wrong(f"it does not go with these values: {str(error)[:200] or type(error).__name__}") from error
    return "".join(pieces)


class _ValueCheck:
    """Counts what is given, as a tree, so that a value that holds itself is found out, too."""

    def __init__(self) -> None:
        self._values = 0
        self._characters = 0

    def check(self, values: Mapping[str, object]) -> None:
        for name, value in values.items():
            self._check(name, value, depth=0)

    def _check(self, name: str, value: object, *, depth: int) -> None:
        self._values += 1
        if self._values > VALUES_MAX or depth > VALUE_DEPTH_MAX:
            raise wrong(f"the value of `{name}` is too large or nested too deeply")
        match value:
            case None | bool() | float():
                return
            case int() if abs(value) <= INTEGER_MAX:
                return
            case str():
                self._characters += len(value)
                if self._characters > VALUE_CHARACTERS_MAX:
                    raise wrong(f"its values are longer than {VALUE_CHARACTERS_MAX:,} characters")
                if not is_text(value):
                    raise wrong(f"the value of `{name}` holds half characters, which are no text")
            case list() | tuple():
                for item in cast("Sequence[object]", value):
                    self._check(name, item, depth=depth + 1)
            case dict():
                for key, item in cast("dict[object, object]", value).items():
                    if not isinstance(key, str):
                        raise self._no_data(name, key)
                    self._check(name, key, depth=depth + 1)
                    self._check(name, item, depth=depth + 1)
            case _:
                raise self._no_data(name, value)

    def _no_data(self, name: str, value: object) -> InvalidTemplate:
        return wrong(
            f"the value of `{name}` holds {type(value).__name__}, which is no plain data",
            hint="Give texts, numbers, lists and mappings.",
        )
