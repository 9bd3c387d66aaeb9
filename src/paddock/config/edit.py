"""Writes the user's settings file: `paddock config init`, `set` and `unset`.

Comments, order and unrelated mistakes stay. What would break a rule is refused before anything is written; what is
written replaces the file in one step, so that a reader sees the old file or the new one.
"""

import fcntl
import io
import os
import tempfile
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from paddock.config.example import EXAMPLE
from paddock.config.keys import (
    Group,
    Key,
    Leaf,
    Table,
    joined,
    leaves,
    root,
    shape_at,
    snake_case,
    split_key,
    suggestion,
)
from paddock.config.layers import Problem
from paddock.config.sources import check, file_layer, invalid
from paddock.config.yaml_file import parse_document, parse_value, read_document
from paddock.errors import InUse, InvalidConfig, StorageError

NEW_FILE_MODE = 0o600  # a database's address may hold a password


def set_value(path: Path, key: str, text: str) -> None:
    """Give `key` the value that `text` says. Raises InvalidConfig when there is no such key or it may not be that."""
    set_values(path, {key: text})


def set_values(path: Path, texts: Mapping[str, str], *, without: Iterable[str] = ()) -> None:
    """Give several keys their values and take those of `without` out, all or none. Raises as `set_value` does."""
    places = {_known(key): text for key, text in texts.items()}
    left_out = [_known(key) for key in without]
    with _editing(path) as document:
        for place in left_out:
            _take(document, place)
        for place, text in places.items():
            _put(document, place, _value(place, text))
        _save(path, document, *places)


def unset_value(path: Path, key: str) -> bool:
    """Take `key` out, and sections that become empty with it. False when it was not there."""
    return bool(unset_values(path, [key]))


def unset_values(path: Path, keys: Iterable[str]) -> Sequence[str]:
    """Take several keys out, all or none. Those that were there. Raises InvalidConfig when the rest would break a rule."""
    places = {key: _known(key) for key in keys}
    with _editing(path) as document:
        taken = [key for key, place in places.items() if _take(document, place)]
        if taken:
            _save(path, document, *(places[key] for key in taken))
        return taken


def write_example(path: Path) -> None:
    """Write the commented example. Raises InUse when there is a file already."""
    _make_folder(path)
    with _locked(path.parent):
        if path.exists():
            raise InUse(
                f"`{path}` is there already.", hint="Change it with `paddock config set`, or move it away first."
            )
        _replace(path, EXAMPLE)


def _known(text: str) -> Key:
    key = split_key(text)
    if not key:
        raise InvalidConfig(f"`{text}` is not a setting.", hint=suggestion(tuple(text.split("."))))
    shape = shape_at(key)
    if isinstance(shape, Leaf) and shape.secret:
        raise InvalidConfig(f"`{text}` is a secret and has no place in a file.", hint=f"Use {shape.description}")
    if isinstance(shape, Group) and not (key[:-1] and isinstance(shape_at(key[:-1]), Table)):
        inside = next(joined((*key, *rest)) for rest, _ in leaves(shape))
        raise InvalidConfig(f"`{text}` is a section.", hint=f"Name one of its settings, like `{inside}`.")
    return key


def _value(key: Key, text: str) -> Any:
    shape = shape_at(key)
    if isinstance(shape, Leaf) and shape.text:
        return text
    return parse_value(text, "the value")


@contextmanager
def _editing(path: Path) -> Generator[Any]:
    """The file as ruamel keeps it, comments and all, while no other process of ours edits it."""
    _make_folder(path)
    with _locked(path.parent):
        read_document(path)  # says what is wrong with the file, in our words
        try:
            text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
        except OSError as error:
            raise _unwritable(path, error) from error
        yield _load(text, path)


def _load(text: str, path: Path) -> Any:
    try:
        loaded: Any = _yaml().load(text)
    except (YAMLError, ValueError, LookupError) as error:  # such as a date that is none, where no setting is a date
        raise InvalidConfig(
            f"`{path}` holds a value that cannot be kept as it is: {' '.join(str(error).split())[:200]}.",
            hint="Put that value into quotes, then try again.",
        ) from error
    if loaded is None:
        loaded = CommentedMap()
        comments = [line.lstrip("# ") for line in text.splitlines() if line.lstrip().startswith("#")]
        if comments:  # they stay, on top
            loaded.yaml_set_start_comment("\n".join(comments))
    return loaded


def _put(document: Any, key: Key, value: Any) -> None:
    below = document
    for index, name in enumerate(key[:-1]):
        spelled = _spelled(below, key[:index], name)
        if not isinstance(below.get(spelled), dict):
            below[spelled] = CommentedMap()
        below = below[spelled]
    below[_spelled(below, key[:-1], key[-1])] = value


def _take(document: Any, key: Key) -> bool:
    above: list[tuple[Any, Any]] = []
    below = document
    for index, name in enumerate(key):
        spelled = _spelled(below, key[:index], name)
        if spelled not in below:
            return False
        above.append((below, spelled))
        below = below[spelled]
        if index + 1 < len(key) and not hasattr(below, "keys"):
            return False
    for mapping, name in reversed(above):
        del mapping[name]
        if mapping:
            break
    return True


def _spelled(mapping: Any, parent: Key, name: str) -> Any:
    """The name as the file has it: camelCase and numbers stay what they are."""
    exact = isinstance(shape_at(parent) if parent else root(), Group)
    for word in mapping:
        if str(word) == name or (exact and snake_case(str(word)) == name):
            return word
    return name


def _save(path: Path, document: Any, *keys: Key) -> None:
    buffer = io.StringIO()
    _yaml().dump(document, buffer)
    text = buffer.getvalue() if document else ""
    # A change may break a rule somewhere else, such as when what another setting names is taken out.
    before = {one.key for one in _problems(path.read_text(encoding="utf-8-sig"), path)} if path.exists() else set[str]()
    problems = [
        one
        for one in _problems(text, path)
        if one.key not in before or any(_concerns(one, joined(key)) for key in keys)
    ]
    if problems:
        raise invalid(problems)
    _replace(path, text)


def _problems(text: str, path: Path) -> list[Problem]:
    layer = file_layer(parse_document(text.encode(), str(path)), path)
    return [*layer.problems, *check({setting.key: setting for setting in layer.settings})[1]]


def _concerns(problem: Problem, key: str) -> bool:
    return f"{key}.".startswith(f"{problem.key}.") or problem.key.startswith(f"{key}.")


def _replace(path: Path, text: str) -> None:
    """All or nothing: written beside, synced, renamed. A link is followed, so that dotfiles stay where they are."""
    target = path.resolve()
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else NEW_FILE_MODE
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(path, error) from error


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """One editor at a time. The lock is on the folder, so nothing is left behind."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> StorageError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return StorageError(f"`{path}` cannot be written: {reason}.", hint="Make the folder writable, or free some space.")


def _yaml() -> Any:
    yaml: Any = YAML(typ="rt")
    yaml.composer.warn_double_anchors = False
    yaml.preserve_quotes = True
    yaml.width = 4096  # people's line breaks are theirs
    return yaml
