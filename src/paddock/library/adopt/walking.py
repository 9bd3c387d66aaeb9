"""Walks a model's folder with few system calls and without leaving the store it belongs to."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from paddock.library.adopt.found import FileRole, FoundFile, PassedOver
from paddock.library.fingerprint import IGNORED_NAMES

DEPTH_MAX = 12
FILES_MAX = 20_000


def walk(folder: str, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every file or link below `folder` with its name relative to it. Folders are entered, links to folders never.

    Raises PassedOver for a tree that is too deep, OSError for one that cannot be read.
    """
    if depth > DEPTH_MAX:
        raise PassedOver(f"folders are nested more than {DEPTH_MAX} deep")
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in IGNORED_NAMES:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from walk(entry.path, f"{prefix}{entry.name}/", depth + 1)
            else:
                yield prefix + entry.name, entry


def plain_file(name: str, entry: os.DirEntry[str], store: str) -> FoundFile | None:
    """The file behind `entry`, which may be a link as long as it ends inside `store`; None when it does not."""
    location = entry.path
    status = entry.stat(follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        location = os.path.realpath(location)
        if not is_inside(location, store):
            return None
        try:
            status = os.lstat(location)
        except FileNotFoundError:
            return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return found_file(name, location, status)


def found_file(
    name: str,
    location: str,
    status: os.stat_result,
    *,
    sha256: str | None = None,
    git_oid: str | None = None,
    role: FileRole = FileRole.PART,
) -> FoundFile:
    return FoundFile(
        name, location, status.st_size, status.st_mtime_ns, (status.st_dev, status.st_ino), sha256, git_oid, role
    )


def is_inside(location: str, store: str) -> bool:
    """True when the normalised absolute `location` lies below `store`."""
    return location.startswith(store if store.endswith("/") else f"{store}/")


def folders_in(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The real folders directly in `folder`, hidden ones and links left out, in order of name."""
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
            yield entry
