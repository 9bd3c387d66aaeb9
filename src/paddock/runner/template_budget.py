"""What rendering a chat template may cost, and what each operation is charged before it is done."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from paddock.errors import InvalidTemplate

STEPS_MAX: Final = 250_000  # rounds of loops, calls and outputs: a chat of 1,000 turns takes some 20,000
CHARACTERS_MAX: Final = 16 * 1024 * 1024  # of all texts and lists that are made on the way
HINT: Final = (
    "The model's chat template is at fault: use `prompt` instead of messages, or another version of the model."
)
_NUMBER_MAX: Final = 100_000  # as an argument: a width or a count, never a size
_WIDE: Final = re.compile(r"\d{4}|\*|\{[^}]*\{")  # a width of four digits, or one that is itself computed
_NEVER: Final = frozenset({"expandtabs", "translate", "maketrans"})  # short calls that make long texts


@dataclass(slots=True)
class Budget:
    """What one rendering may still do. Raises InvalidTemplate when it is used up."""

    steps: int = STEPS_MAX
    characters: int = CHARACTERS_MAX

    def step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise InvalidTemplate("The chat template does not end.", hint=HINT)

    def grow(self, characters: int) -> None:
        self.characters -= characters
        if self.characters < 0:
            raise InvalidTemplate("The chat template makes too much text.", hint=HINT)


def check_numbers(values: Sequence[object]) -> None:
    """No count or width is that large. Raises InvalidTemplate."""
    for value in values:
        if isinstance(value, int) and abs(value) > _NUMBER_MAX:
            raise InvalidTemplate(f"The chat template uses an absurd number: {value:.3g}.", hint=HINT)


def charge_for_growth(budget: Budget, name: str, subject: object, arguments: Sequence[object]) -> None:
    """Charge a method or filter that can multiply one text by another, before it does. Others pay for what they made."""
    if name in _NEVER:
        raise InvalidTemplate(f"The chat template uses `{name}`.", hint=HINT)
    longest = max((len(str(argument)) for argument in arguments), default=0)
    match name:
        case "replace" if isinstance(subject, str) and len(arguments) >= 2:
            budget.grow(subject.count(str(arguments[0])) * len(str(arguments[1])))
        case "join" if isinstance(subject, str) and arguments:
            budget.grow(len(subject) * _length(arguments[0]))
        case "join":
            budget.grow(_length(subject) * longest)
        case "%" | "format" | "format_map":
            if isinstance(subject, str) and _WIDE.search(subject):
                raise InvalidTemplate("The chat template formats to an absurd width.", hint=HINT)
            marks = str(subject).count("%") + str(subject).count("{")
            budget.grow(marks * longest)
        case "indent":
            budget.grow((str(subject).count("\n") + 1) * max((a for a in arguments if isinstance(a, int)), default=4))
        case _:
            pass


def _length(value: object) -> int:
    return len(cast("Any", value)) if isinstance(value, str | list | tuple | range | dict) else 0
