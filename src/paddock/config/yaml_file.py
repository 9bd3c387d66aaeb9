"""A settings file as plain data that knows its lines. Whatever is in it, the answer is data or an `InvalidConfig`.

YAML 1.2, so `off` is text; the settings that are switches read it as one. Limits hold before anything is built:
bytes, depth, and values after aliases are written out (an alias bomb is small on disk and large in memory).
"""

import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from paddock.errors import InvalidConfig, StorageError

FILE_BYTES_MAX = 1_000_000
VALUES_MAX = 20_000
DEPTH_MAX = 20

_PLAIN_TAGS = frozenset({"str", "int", "float", "bool", "null"})

Place = tuple[Hashable, ...]
Node = Any  # ruamel's nodes have no types


@dataclass(frozen=True, slots=True)
class Document:
    """A file's top-level mapping. `lines` says on which line each value's key stands, from 1."""

    data: Mapping[Any, Any] = field(default_factory=dict[Any, Any])
    lines: Mapping[Place, int] = field(default_factory=dict[Place, int])


def read_document(path: Path) -> Document:
    """The file's data, empty when there is no file. Raises InvalidConfig, or StorageError when it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except (FileNotFoundError, NotADirectoryError):
        return Document()
    except OSError as error:
        raise StorageError(
            f"`{path}` cannot be read: {os.strerror(error.errno) if error.errno else error}.",
            hint="Make it a file that you may read, or move it away to run with defaults.",
        ) from error
    return parse_document(content, str(path))


def parse_document(content: bytes, name: str) -> Document:
    """The data in `content`; `name` is what errors call it. Raises InvalidConfig with line and column."""
    if len(content) > FILE_BYTES_MAX:
        raise InvalidConfig(
            f"`{name}` is larger than {FILE_BYTES_MAX} bytes.", hint="Settings need a few lines; is it the right file?"
        )
    text = _decode(content, name)
    node = _compose(text, name)
    if node is None or str(node.tag) == "tag:yaml.org,2002:null":
        return Document()
    if node.id != "mapping":
        _refuse(
            name, node, "the file must hold sections, each a name and a colon", "Start with a line like `options:`."
        )
    reading = _Reading(name)
    return Document(reading.value(node, ()), reading.lines)


def parse_value(text: str, name: str) -> Any:
    """One YAML value, such as `0.7`, `text` or `{code: qwen2.5-coder}`. Raises InvalidConfig."""
    node = _compose(text, name)
    return None if node is None else _Reading(name).value(node, ())


def _decode(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise InvalidConfig(
            f"`{name}`, line {line}, column {column}: the byte 0x{content[error.start]:02x} is not UTF-8.",
            hint="Save the file as UTF-8.",
        ) from error


def _compose(text: str, name: str) -> Node:
    from ruamel.yaml import YAML  # most runs have no file to read, and need not wait for the library
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    yaml: Any = YAML(typ="safe", pure=True)
    yaml.max_depth = DEPTH_MAX
    yaml.composer.warn_double_anchors = False
    try:
        return yaml.compose(text)
    except MarkedYAMLError as error:
        told: Any = error
        mark = told.problem_mark or told.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = " ".join(str(told.problem or told.context or "it is not YAML").split())
        raise InvalidConfig(
            f"`{name}`{where}: {problem}.",
            hint="Look for a missing colon, quote or bracket there, or a tab in the indentation; YAML wants spaces.",
        ) from error
    except YAMLError as error:  # a character that YAML does not allow
        position = getattr(error, "position", None)
        where = ""
        if isinstance(position, int):
            before = text[:position]
            where = f", line {before.count(chr(10)) + 1}, column {position - before.rfind(chr(10))}"
        raise InvalidConfig(
            f"`{name}`{where}: a character that YAML does not allow.", hint="Delete control characters from the file."
        ) from error


class _Reading:
    """Turns nodes into data, counting what aliases unfold to."""

    def __init__(self, name: str) -> None:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        self.name = name
        self.lines: dict[Place, int] = {}
        self._values = 0
        self._open: set[int] = set()
        self._scalars: Any = YAML(typ="safe", pure=True).constructor
        self._scalar_errors = (ValueError, OverflowError, LookupError, YAMLError)  # what `!!bool q` and its like raise

    def value(self, node: Node, place: Place) -> Any:
        self._values += 1
        if self._values > VALUES_MAX:
            _refuse(self.name, node, f"more than {VALUES_MAX} values, with aliases written out", "Use fewer aliases.")
        if node.id == "scalar":
            return self._scalar(node)
        if id(node) in self._open:
            _refuse(self.name, node, "an alias points back to what it is part of", "Write the values out instead.")
        self._open.add(id(node))
        try:
            if node.id == "sequence":
                return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
            return self._mapping(node, place)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: Node, place: Place) -> dict[Any, Any]:
        data: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if key_node.id != "scalar":
                _refuse(self.name, key_node, "a name must be plain text", "Write `name: value`.")
            if key_node.tag == "tag:yaml.org,2002:merge":
                _refuse(self.name, key_node, "merge keys (`<<`) are not read", "Write the values out instead.")
            key = self._scalar(key_node)
            if key in data:
                _refuse(self.name, key_node, f"`{key}` is given twice", "Keep one of the two.")
            self.lines[(*place, key)] = key_node.start_mark.line + 1
            data[key] = self.value(value_node, (*place, key))
        return data

    def _scalar(self, node: Node) -> Any:
        tag = str(node.tag).removeprefix("tag:yaml.org,2002:")
        if tag in ("timestamp", "binary"):
            return node.value  # no setting is a date; what looks like one is a name
        if tag not in _PLAIN_TAGS:
            _refuse(self.name, node, f"the tag `{tag}` is not read", "Write the plain value.")
        try:
            return self._scalars.construct_object(node)
        except self._scalar_errors as error:
            _refuse(self.name, node, f"`{node.value[:40]}` cannot be read", "Put it into quotes.", error)


def _refuse(name: str, node: Node, what: str, remedy: str, cause: Exception | None = None) -> NoReturn:
    mark = node.start_mark
    raise InvalidConfig(f"`{name}`, line {mark.line + 1}, column {mark.column + 1}: {what}.", hint=remedy) from cause
