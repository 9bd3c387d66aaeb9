"""Dotted keys: which exist, how they may be spelled, which one was meant.

The schema as a tree: a `Group` has named children, a `Table` takes any name, a `Leaf` holds a value. Names in a table
may hold dots (`models.qwen2.5-coder.pin`), so a key is read against the tree and not merely cut at its dots.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from paddock.config.rules import USER_ONLY, Rule, is_optional, plain_type, rule_of
from paddock.config.schema import Section, Settings

Key = tuple[str, ...]
NEAR_ENOUGH = 60.0  # of 100, where 100 is the same word


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One value."""

    rule: Rule
    description: str
    default: Any = None
    optional: bool = False
    secret: bool = False
    text: bool = False  # a string, whatever it looks like
    user_only: bool = False  # a workspace's file may not set it
    free: bool = False  # passed on as it stands


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Named children."""

    children: Mapping[str, "Shape"]
    description: str

    def named(self, spelled: str) -> str | None:
        """The child that this spelling means: snake_case as it is, camelCase as its alias."""
        name = snake_case(spelled)
        return name if name in self.children else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Any name, each of the same shape."""

    item: "Shape"
    name_rule: Rule
    description: str


Shape = Leaf | Group | Table


@cache
def root() -> Group:
    """The whole schema."""
    return _group(Settings, "All settings.")


def shape_at(key: Key) -> Shape | None:
    """What is at this key, None when there is no such thing."""
    shape: Shape = root()
    for name in key:
        if isinstance(shape, Group) and name in shape.children:
            shape = shape.children[name]
        elif isinstance(shape, Table):
            shape = shape.item
        else:
            return None
    return shape


def split_key(text: str) -> Key | None:
    """A dotted key taken apart, camelCase accepted; None when the schema has no such key."""
    return _read(root(), text.split("."))


def joined(key: Key) -> str:
    return ".".join(key)


def leaves(shape: Shape | None = None, key: Key = ()) -> Iterator[tuple[Key, Leaf]]:
    """Every leaf with its key, in the order of the schema; a table's names stand as `<name>`."""
    shape = root() if shape is None else shape
    match shape:
        case Leaf():
            yield key, shape
        case Group():
            for name, child in shape.children.items():
                yield from leaves(child, (*key, name))
        case Table():
            yield from leaves(shape.item, (*key, "<name>"))


def nearest(word: str, known: Iterator[str] | list[str]) -> str | None:
    """The known word that was probably meant."""
    from rapidfuzz import fuzz, process  # only for a mistake: its import is a tenth of a second that no good run pays

    found = process.extractOne(word, list(known), scorer=fuzz.ratio, score_cutoff=NEAR_ENOUGH)
    return found[0] if found else None


def suggestion(key: Key) -> str:
    """A sentence that helps with a key that does not exist."""
    parent, name = key[:-1], snake_case(key[-1])
    shape = shape_at(parent)
    if isinstance(shape, Group):
        near = nearest(name, list(shape.children))
        if near:
            return f"Did you mean `{joined((*parent, near))}`?"
    near = nearest(name, [leaf[-1] for leaf, _ in leaves()])
    if near:
        whole = next(joined(leaf) for leaf, _ in leaves() if leaf[-1] == near)
        return f"Did you mean `{whole}`?"
    if isinstance(shape, Group):
        return f"Known {f'in `{joined(parent)}`' if parent else 'sections'}: {', '.join(shape.children)}."
    return "`paddock config show` lists every setting."


@cache
def snake_case(name: str) -> str:
    """`maxTokens` is `max_tokens`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _read(shape: Shape, names: list[str]) -> Key | None:
    if not names:
        return ()
    match shape:
        case Leaf():
            return None
        case Group():
            name = shape.named(names[0])
            rest = _read(shape.children[name], names[1:]) if name else None
            return (name, *rest) if name and rest is not None else None
        case Table():
            if isinstance(shape.item, Leaf):
                return (".".join(names),)
            for count in range(1, len(names) + 1):
                rest = _read(shape.item, names[count:])
                # A name alone is a section; prefer reading more of it as the name to reading nothing.
                if rest:
                    return (".".join(names[:count]), *rest)
            return (".".join(names),)


def _group(model: type[Section], description: str) -> Group:
    children = {name: _shape(field) for name, field in model.model_fields.items()}
    return Group(children=children, description=description)


def _shape(field: FieldInfo) -> Shape:
    return _shape_of(field.annotation, tuple(field.metadata), field.description or "", _default(field))


def _shape_of(annotation: Any, metadata: tuple[Any, ...], description: str, default: Any) -> Shape:
    kind, found = plain_type(annotation, metadata)
    if isinstance(kind, type) and issubclass(kind, Section):
        return _group(kind, description)
    if get_origin(kind) is Mapping:
        name, item = get_args(kind)
        return Table(
            item=_shape_of(item, (), description, None),
            name_rule=rule_of(name),
            description=description,
        )
    return Leaf(
        rule=rule_of(kind, found),
        description=description,
        default=default,
        optional=is_optional(annotation),
        secret=kind is SecretStr,
        text=kind in (str, SecretStr),
        user_only=USER_ONLY in found,
        free=kind is Any,
    )


def _default(field: FieldInfo) -> Any:
    return None if field.default_factory is not None else field.default
