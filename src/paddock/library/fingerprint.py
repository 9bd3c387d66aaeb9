"""A cheap identity of a model's files: it changes when a file is added, removed, resized or rewritten.

It reads names, sizes and times, never content, so asking for it at every `list` costs a few stats. It tells whether
facts read earlier still hold; whether the bytes are right is `verify`'s question.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from paddock.errors import StorageError

IGNORED_NAMES = frozenset(
    {".DS_Store", "Thumbs.db", "desktop.ini", ".git", ".cache"}
)  # a file manager's or a tool's own


class FileStamp(NamedTuple):
    """What is compared of one file. `name` is relative, with `/`; size and time are those of the resolved file."""

    name: str
    size: int
    mtime_ns: int


def fingerprint(path: Path) -> str:
    """The identity of a model folder, or of a single-file model. Raises StorageError when it cannot be read."""
    try:
        if path.is_dir():
            return fingerprint_stamps(_stamps_below(str(path), ""))
        return fingerprint_stamps([_stamp(str(path), path.name)])
    except OSError as error:
        raise _unreadable(path, error) from error


def fingerprint_files(root: Path, names: Iterable[str]) -> str:
    """The identity of some files below `root`, in whatever order. Raises StorageError when one cannot be read."""
    try:
        return fingerprint_stamps(_stamp(f"{root}/{name}", name) for name in names)
    except OSError as error:
        raise _unreadable(root, error) from error


def fingerprint_stamps(stamps: Iterable[FileStamp]) -> str:
    """The identity of files that were looked at already."""
    digest = hashlib.blake2b(digest_size=16)
    for stamp in sorted(stamps):
        # Surrogates stand for bytes that are no UTF-8; they are part of the name all the same.
        digest.update(f"{stamp.name}\0{stamp.size}\0{stamp.mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _stamp(path: str, name: str) -> FileStamp:
    status = os.stat(path)  # noqa: PTH116 (a Path a file would double the cost of a scan)
    return FileStamp(name, status.st_size, status.st_mtime_ns)


def _stamps_below(folder: str, prefix: str) -> Iterator[FileStamp]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in IGNORED_NAMES:
                continue
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _stamps_below(entry.path, f"{name}/")
            else:
                yield _stamp_behind(entry, name)


def _stamp_behind(entry: os.DirEntry[str], name: str) -> FileStamp:
    """The file that `entry` is or leads to; a link to nothing is a change like any other, not a failure."""
    try:
        status = entry.stat()
    except FileNotFoundError:
        return FileStamp(name, -1, 0)
    return FileStamp(name, status.st_size, status.st_mtime_ns)


def _unreadable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"The model's files at {path} cannot be read: {error.strerror or error}.",
        hint="Mount the disk or restore the files, then try again; `paddock rm` forgets the model.",
    )
