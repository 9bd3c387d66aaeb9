"""Questions about settings that are resolved: `config get` and `config show`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from paddock.config.keys import Group, Key, Leaf, Shape, Table, joined, root, shape_at, split_key, suggestion
from paddock.config.paths import Paths
from paddock.config.schema import Config, Section
from paddock.errors import InvalidConfig

HIDDEN = "hidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One setting as `config show` presents it. Secrets are already hidden."""

    key: str
    value: Any  # plain: text, number, switch or None
    source: str


def get_value(config: Config, text: str) -> Value:
    """One setting by its dotted key. Raises InvalidConfig that names the nearest key."""
    for value in all_values(config):
        if value.key == text:
            return value
    key = split_key(text)
    shape = shape_at(key) if key is not None else None
    if key is None or shape is None:
        raise InvalidConfig(f"`{text}` is not a setting.", hint=suggestion(tuple(text.split("."))))
    if not isinstance(shape, Leaf):
        raise InvalidConfig(
            f"`{text}` is a section.", hint=f"Ask for one of its settings, like `{_inside(key, shape)}`."
        )
    known = next((value for value in all_values(config) if value.key == joined(key)), None)
    return known or Value(key=joined(key), value=shape.default, source="default")


def all_values(config: Config) -> Iterator[Value]:
    """Every setting that has a value or a default, in the order of the schema; then every path."""
    yield from _below(config, root(), (), config)
    yield from _paths(config)


def _below(config: Config, shape: Shape, key: Key, value: Any) -> Iterator[Value]:
    if isinstance(shape, Leaf):
        yield Value(key=joined(key), value=_plain(shape, value), source=config.source_of(joined(key)))
    elif isinstance(shape, Group):
        dumped: Mapping[str, Any] = value.model_dump(mode="json") if isinstance(value, Section) else {}
        for name, child in shape.children.items():
            found = getattr(value, name)
            # Sizes and durations are shown as they are written; sections and secrets are looked at themselves.
            plain = found if not isinstance(child, Leaf) or child.secret else dumped[name]
            yield from _below(config, child, (*key, name), plain)
    else:
        for name, item in value.items():
            yield from _below(config, shape.item, (*key, name), item)


def _plain(shape: Leaf, value: Any) -> Any:
    if isinstance(value, SecretStr) or (shape.secret and value):
        return HIDDEN
    if isinstance(value, str) and "://" in value:
        return _without_password(value)
    return value


def _without_password(url: str) -> str:
    try:
        password = urlsplit(url).password
    except ValueError:
        return HIDDEN
    return url.replace(f":{password}@", f":{HIDDEN}@", 1) if password else url


def _paths(config: Config) -> Iterator[Value]:
    for field in fields(Paths):
        value = getattr(config.paths, field.name)
        plain = [str(path) for path in value] if isinstance(value, tuple) else str(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] (every field is a path or a tuple of them)
        yield Value(key=f"paths.{field.name}", value=plain, source=config.source_of(f"paths.{field.name}"))


def _inside(key: Key, shape: Group | Table) -> str:
    if isinstance(shape, Table):
        return joined((*key, "<name>"))
    return joined((*key, next(iter(shape.children))))
