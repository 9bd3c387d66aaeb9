"""Names that stay where they belong: file paths that come from outside, and folders named after models."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from paddock.errors import Corrupt

PATH_BYTES_MAX = 1024
_COMPONENT_BYTES_MAX = 255
_DRIVE = re.compile(r"[A-Za-z]:")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|clock\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE)
_FORBIDDEN_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control, invisible and direction characters, broken text
OURS = ".paddock"  # what our own bookkeeping in a model's folder begins with


def check_file_path(path: str, *, of: str) -> None:
    """Raise Corrupt unless `path` is relative, stays below its folder and means the same file everywhere.

    `of` names the model in the error.
    """
    reason = _reason(path)
    if reason is not None:
        raise Corrupt(
            f"`{of}` lists a file named {_shown(path)}, which {reason}. Nothing was fetched.",
            hint="Such a name is damaged or hostile: do not pull this model, and report it to its hub.",
        )


def check_file_paths(paths: Iterable[str], *, of: str) -> None:
    """Check each path, and that no two of them would be one file on some disk. Raises Corrupt."""
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        check_file_path(path, of=of)
        key = _folded(path)
        if key in seen:
            raise _clash(path, seen[key], of)
        seen[key] = path
        parts = path.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            other = folders.setdefault(_folded(folder), folder)
            if other != folder:
                raise _clash(folder, other, of)
    for key, folder in folders.items():
        if key in seen:
            raise _clash(folder, seen[key], of)


def folder_name(name: str) -> str:
    """A folder for whatever `name` says: readable, safe on every file system, and never the same for two names."""
    readable = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-.")[:80] or "model"
    return f"{readable}--{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _reason(path: str) -> str | None:
    """What is wrong with `path`, None when nothing is."""
    if not path:
        return "is empty"
    if any(unicodedata.category(letter) in _FORBIDDEN_CATEGORIES for letter in path):
        return "holds control characters"
    if len(path.encode()) > PATH_BYTES_MAX:
        return "is too long"
    if path.startswith("/") or _DRIVE.match(path):
        return "is absolute"
    if "\\" in path:
        return "holds a backslash"
    for part in path.split("/"):
        if part == "..":
            return "tries to leave its folder"
        if part in ("", "."):
            return "has an empty part"
        if len(part.encode()) > _COMPONENT_BYTES_MAX:
            return "has a part that is too long"
        if part[-1] in ". " or part[0] == " " or _RESERVED.fullmatch(part):
            return "means something else on some systems"
        if part.lower().startswith(OURS):
            return "is reserved for Paddock"
    return None


def _folded(path: str) -> str:
    """The same for names that a case-insensitive or normalising disk takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _clash(path: str, other: str, of: str) -> Corrupt:
    return Corrupt(
        f"`{of}` lists {_shown(other)} and {_shown(path)}, which are one name on many disks. Nothing was fetched.",
        hint="Ask the model's owner to rename one of them.",
    )


def _shown(path: str) -> str:
    """The path so that a terminal cannot be tricked by it."""
    text = ascii(path)
    return text if len(text) <= 100 else f"{text[:96]}…'"
