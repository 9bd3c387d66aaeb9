"""Files with their sizes and hashes, as `models.lock` and `bundle.toml` list them.

TOML, because people read it and compare it; one file a line, because version control does. Everything that is read is
bounded and checked before any of it is used: names stay inside their folder, hashes are hashes, nothing comes twice.
"""

import json
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from paddock.errors import Corrupt, InvalidFile, StorageError
from paddock.library.fingerprint import IGNORED_NAMES
from paddock.store.checksum import git_blob_hasher, sha256_hasher
from paddock.store.names import check_file_path, check_file_paths

DOCUMENT_BYTES_MAX = 16 * 1024 * 1024
FILES_MAX = 20_000
WALK_FILES_MAX = 200_000
SIZE_MAX = 2**53
CHUNK_BYTES = 4 * 1024 * 1024

_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT_OID = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FileEntry:
    """One file of a model: where it lies below the model's folder, and what its bytes must be."""

    path: str
    size: int
    sha256: str | None = None
    git_oid: str | None = None

    def differs_from(self, other: "FileEntry") -> bool:
        """True when the two cannot be the same bytes. A hash that only one of them tells decides nothing."""
        return (
            self.size != other.size
            or (None not in (self.sha256, other.sha256) and self.sha256 != other.sha256)
            or (None not in (self.git_oid, other.git_oid) and self.git_oid != other.git_oid)
        )


class Document:
    """A TOML file that somebody gave us. Its complaints name the file and, where it can be told, the line."""

    def __init__(self, path: Path, *, kind: str, hint: str) -> None:
        """Read `path`. Raises InvalidFile when it is too large or no TOML, StorageError when it cannot be read."""
        self.path = path
        self._kind = kind
        self._hint = hint
        try:
            with path.open("rb") as file:
                raw = file.read(DOCUMENT_BYTES_MAX + 1)
        except OSError as error:
            raise StorageError(
                f"{path} cannot be read: {error.strerror or error}.", hint="Check the path and its permissions."
            ) from error
        if len(raw) > DOCUMENT_BYTES_MAX:
            raise self.wrong(f"it is larger than {DOCUMENT_BYTES_MAX // 1024**2} MB")
        try:
            text = raw.decode()
            self.content: Mapping[str, Any] = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # tomllib's own error is a ValueError
            raise self.wrong(str(error)) from error
        self._lines = text.splitlines()

    def wrong(self, what: str, *, near: str = "") -> InvalidFile:
        """The error to raise about `what`. `near` is a text of the file whose line is named."""
        line = next((number for number, text in enumerate(self._lines_so_far(), 1) if near and near in text), None)
        place = f"{self.path}, line {line}" if line else str(self.path)
        return InvalidFile(f"{place} is no {self._kind}: {what}.", hint=self._hint)

    def tables(self, key: str, *, count_max: int) -> list[Mapping[str, Any]]:
        """The `[[key]]` tables."""
        found: object = self.content.get(key, [])
        if not isinstance(found, list) or not all(isinstance(table, dict) for table in cast("list[object]", found)):
            raise self.wrong(f"`{key}` must be a list of tables", near=key)
        tables = cast("list[Mapping[str, Any]]", found)
        if len(tables) > count_max:
            raise self.wrong(f"it lists more than {count_max:,} of `{key}`")
        return tables

    def text(self, table: Mapping[str, Any], key: str, *, default: str | None = None, length_max: int = 4096) -> str:
        value: object = table.get(key, default)
        if not isinstance(value, str) or len(value) > length_max or not value.isprintable():
            raise self.wrong(f"`{key}` must be a line of text, not {_shown(value)}", near=_shown(value))
        return value

    def files(self, table: Mapping[str, Any]) -> tuple[FileEntry, ...]:
        """The table's `files`, checked, in order of path."""
        listed: object = table.get("files", [])
        if not isinstance(listed, list) or not listed:
            raise self.wrong("a model without `files`")
        rows = cast("list[object]", listed)
        if len(rows) > FILES_MAX:
            raise self.wrong(f"a model with more than {FILES_MAX:,} files")
        files = [self._file(row) for row in rows]
        paths = [file.path for file in files]
        if twice := next((path for path in paths if paths.count(path) > 1), None):
            raise self.wrong(f"{_shown(twice)} is listed twice", near=_shown(twice))
        try:
            check_file_paths(paths, of="")
        except Corrupt as error:
            raise self.wrong("two of its files would be one on many disks", near=_shown(table.get("name"))) from error
        return tuple(sorted(files))

    def _file(self, row: object) -> FileEntry:
        if not isinstance(row, dict):
            raise self.wrong(f"a file must be a table with path, size and sha256, not {_shown(row)}")
        table = cast("dict[str, object]", row)
        path, size = table.get("path"), table.get("size")
        if not isinstance(path, str) or not is_safe_path(path):
            raise self.wrong(f"{_shown(path)} is not a path inside the model's folder", near=_shown(path))
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= SIZE_MAX:
            raise self.wrong(f"{_shown(path)} has the size {_shown(size)}", near=_shown(path))
        sha256, git_oid = table.get("sha256"), table.get("git_oid")
        if not _is_hash(sha256, _SHA256) or not _is_hash(git_oid, _GIT_OID) or sha256 is git_oid:
            raise self.wrong(f"{_shown(path)} needs a `sha256` (64 hex digits) or a `git_oid` (40)", near=_shown(path))
        return FileEntry(path=path, size=size, sha256=cast("str | None", sha256), git_oid=cast("str | None", git_oid))

    def _lines_so_far(self) -> Sequence[str]:
        return getattr(self, "_lines", ())


def is_safe_path(path: str) -> bool:
    """True for a relative path with `/` that stays inside the folder it is joined to and means one file everywhere."""
    try:
        check_file_path(path, of="")
    except Corrupt:
        return False
    return path.isprintable()


def written_files(files: Iterable[FileEntry]) -> list[str]:
    """The lines of a `files` list, one file each, in order of path."""
    lines = ["files = ["]
    for file in sorted(files):
        hashes = "".join(
            f", {key} = {quoted(value)}" for key, value in (("sha256", file.sha256), ("git_oid", file.git_oid)) if value
        )
        lines.append(f"  {{ path = {quoted(file.path)}, size = {file.size}{hashes} }},")
    return [*lines, "]"]


def quoted(text: str) -> str:
    """`text` as a TOML string. JSON's escapes are TOML's, but for DEL, which JSON leaves bare."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def hash_file(path: Path) -> FileEntry:
    """Size, SHA-256 and git blob id of `path` in one reading; its `path` is the file's bare name."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            sha256, git_oid, read = sha256_hasher(), git_blob_hasher(size), 0
            while chunk := file.read(CHUNK_BYTES):
                read += len(chunk)
                sha256.update(chunk)
                git_oid.update(chunk)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror or error}.", hint="Check the disk and the file's permissions."
        ) from error
    if read != size:
        raise Corrupt(f"{path} changed while it was read.", hint="Try again when nothing writes to it.")
    return FileEntry(path=path.name, size=size, sha256=sha256.hexdigest(), git_oid=git_oid.hexdigest())


def files_below(folder: Path) -> Iterator[str]:
    """The relative names of all plain files below `folder`, in order. Links are not followed.

    Raises InvalidFile when there are more than any carry-over holds.
    """
    count = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in IGNORED_NAMES)
        for name in sorted(names):
            path = Path(parent, name)
            if name in IGNORED_NAMES or not stat.S_ISREG(path.lstat().st_mode):
                continue
            count += 1
            if count > WALK_FILES_MAX:
                raise InvalidFile(
                    f"{folder} holds more than {WALK_FILES_MAX:,} files.", hint="Name the folder that holds the models."
                )
            yield path.relative_to(folder).as_posix()


def _is_hash(value: object, form: re.Pattern[str]) -> bool:
    return value is None or (isinstance(value, str) and form.fullmatch(value) is not None)


def _shown(value: object) -> str:
    """A value of the file as it stands there, shortened."""
    text = repr(value) if not isinstance(value, str) else quoted(value)
    return text if len(text) <= 120 else f"{text[:117]}…"
