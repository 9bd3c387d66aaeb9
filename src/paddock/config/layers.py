"""One layer of settings: values under their keys, each knowing where it stands.

Reading a layer sorts out spelling (camelCase, unknown keys) and structure; whether a value is allowed is asked once, of
all layers together.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from paddock.config.keys import Group, Key, Leaf, Shape, Table, joined, root, suggestion
from paddock.config.rules import words

SHOWN_CHARACTERS_MAX = 80


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value stands: `flag --temperature`, `environment HF_HOME`, a file and its line."""

    place: str
    line: int | None = None

    def __str__(self) -> str:
        return self.place if self.line is None else f"{self.place}:{self.line}"

    @property
    def phrase(self) -> str:
        return self.place if self.line is None else f"{self.place}, line {self.line}"


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of one layer."""

    key: Key
    value: Any
    origin: Origin


@dataclass(frozen=True, slots=True)
class Problem:
    """One setting that breaks a rule: which, what it is, where it stands, why not, what instead."""

    key: str
    value: str  # as shown; a secret's is hidden
    origin: str
    rule: str
    remedy: str
    subject: str = ""  # what the rule is about, where it is not the key itself

    def __str__(self) -> str:
        subject = self.subject or words(self.key)
        return f"{self.key} is {self.value} (from {self.origin}): {subject} {self.rule}. {self.remedy}"


@dataclass(slots=True)
class Layer:
    """What one source says. Later settings of the same key replace earlier ones."""

    settings: list[Setting] = field(default_factory=list[Setting])
    problems: list[Problem] = field(default_factory=list[Problem])
    warnings: list[str] = field(default_factory=list[str])


def read_layer(
    data: Mapping[Any, Any],
    origin_of: Callable[[tuple[Any, ...]], Origin],
    *,
    file: bool = False,
    workspace: bool = False,
) -> Layer:
    """Sort nested `data`. `origin_of` is asked with keys as they are spelled in it.

    `file` refuses secrets; `workspace` also leaves out what only the user may decide, with a warning.
    """
    walk = _Walk(origin_of, file=file, workspace=workspace)
    walk.visit(root(), data, (), ())
    return walk.layer


def shown(value: Any, *, secret: bool = False) -> str:
    """A value as an error shows it: short, one line, never a secret."""
    if secret:
        return "hidden"
    text = "".join(letter if letter.isprintable() else "�" for letter in str(value))
    text = text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[: SHOWN_CHARACTERS_MAX - 1]}…"
    if isinstance(value, str):
        return f"`{text}`" if text else "empty"
    return text.lower() if isinstance(value, bool) else text


def _is_section(value: Any) -> bool:
    return isinstance(value, Mapping)


class _Walk:
    def __init__(self, origin_of: Callable[[tuple[Any, ...]], Origin], *, file: bool, workspace: bool) -> None:
        self.layer = Layer()
        self._origin_of = origin_of
        self._file = file
        self._workspace = workspace

    def visit(self, shape: Shape, value: Any, key: Key, spelled: tuple[Any, ...]) -> None:
        if value is None:
            return  # `options:` with everything below commented out says nothing
        if isinstance(shape, Leaf):
            self._leaf(shape, value, key, spelled)
        elif not _is_section(value):
            self._problem(
                key,
                value,
                spelled,
                "is a section, not a value",
                f"Write its settings below `{joined(key)}:`, indented.",
            )
        elif isinstance(shape, Table):
            self._table(shape, value, key, spelled)
        else:
            self._group(shape, value, key, spelled)

    def _group(self, shape: Group, value: Mapping[Any, Any], key: Key, spelled: tuple[Any, ...]) -> None:
        seen: dict[str, Any] = {}
        for word, item in value.items():
            place = (*spelled, word)
            name = shape.named(str(word))
            if name is None:
                self._unknown((*key, str(word)), place)
            elif name in seen:
                self._problem(
                    (*key, name), item, place, f"is given twice, as `{seen[name]}` and as `{word}`", "Keep one of them."
                )
            else:
                seen[name] = word
                self.visit(shape.children[name], item, (*key, name), place)

    def _table(self, shape: Table, value: Mapping[Any, Any], key: Key, spelled: tuple[Any, ...]) -> None:
        for word, item in value.items():
            below = (*key, str(word))
            place = (*spelled, word)
            if isinstance(shape.item, Group) and (item is None or item == {}):
                self.layer.settings.append(Setting(below, {}, self._origin_of(place)))  # there, with nothing set
            else:
                self.visit(shape.item, item, below, place)

    def _leaf(self, shape: Leaf, value: Any, key: Key, spelled: tuple[Any, ...]) -> None:
        origin = self._origin_of(spelled)
        if shape.secret and self._file:
            self.layer.problems.append(
                Problem(
                    joined(key),
                    "hidden",
                    origin.phrase,
                    "is a secret and has no place in a file",
                    f"Delete it there and set it in the environment. {shape.description}",
                )
            )
        elif shape.user_only and self._workspace:
            self.layer.warnings.append(
                f"`{joined(key)}` ({origin.phrase}) is ignored: a workspace does not decide where tokens and rows go. "
                "Set it in your own file with `paddock config set`, or in the environment."
            )
        else:
            self.layer.settings.append(Setting(key, value, origin))

    def _unknown(self, key: Key, spelled: tuple[Any, ...]) -> None:
        where = self._origin_of(spelled).phrase
        self.layer.warnings.append(f"{shown(joined(key))} ({where}) is not a setting and is ignored. {suggestion(key)}")

    def _problem(self, key: Key, value: Any, spelled: tuple[Any, ...], rule: str, remedy: str) -> None:
        origin = self._origin_of(spelled).phrase
        self.layer.problems.append(Problem(joined(key) or "the file", shown(value), origin, rule, remedy))
