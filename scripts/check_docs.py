"""Checks what a compiler would not: links between documents, the map in ARCHITECTURE.md, forbidden texts."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
TEST = re.compile(r"`(tests/[\w/.]+\.py)(?:::(\w+))?`")
ROOM = re.compile(r"^\| `(\w+)/` \|", re.MULTILINE)
# Written in two pieces so that this file passes its own check. Pinned requirements carry hashes, never addresses.
PACKAGE_INDEXES = tuple(
    "".join(pair) for pair in (("pypi", ".org"), ("python", "hosted.org"), ("registry.npm", "js.org"))
)
TEXT_SUFFIXES = {".py", ".md", ".toml", ".txt", ".json", ".yaml", ".yml", ".sh", ".cfg", ".ini", ""}


def main() -> None:
    problems = [*broken_links(), *missing_rooms(), *missing_tests(), *forbidden_texts()]
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


def tracked(pattern: str = "*") -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", pattern], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def broken_links() -> Iterator[str]:
    for document in tracked("*.md"):
        if "builtin_models" in document.parts:
            continue  # model cards link to each other as they do on a hub
        for target in LINK.findall(document.read_text()):
            if "://" not in target and not target.startswith("mailto:") and not (document.parent / target).exists():
                yield f"{document.relative_to(ROOT)}: the link to {target} leads nowhere"


def missing_rooms() -> Iterator[str]:
    """The table of rooms in ARCHITECTURE.md and the folders of the package are the same."""
    drawn = set(ROOM.findall((ROOT / "ARCHITECTURE.md").read_text()))
    built = {folder.parent.name for folder in (ROOT / "src" / "paddock").glob("*/__init__.py")}
    for room in sorted(drawn - built):
        yield f"ARCHITECTURE.md: there is no room {room}/"
    for room in sorted(built - drawn):
        yield f"ARCHITECTURE.md: the room {room}/ is not in the table"


def missing_tests() -> Iterator[str]:
    """Every test that a document names as proof is there. A name may be the beginning of several tests' names."""
    for document in tracked("*.md"):
        for name, test in TEST.findall(document.read_text()):
            path = ROOT / name
            if not path.is_file():
                yield f"{document.relative_to(ROOT)}: there is no {name}"
            elif test and f"def {test}" not in path.read_text():
                yield f"{document.relative_to(ROOT)}: {name} has no test {test}"


def forbidden_texts() -> Iterator[str]:
    for path in tracked():
        if path.suffix not in TEXT_SUFFIXES or "recipe" in path.parts:
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for address in PACKAGE_INDEXES:
            if address in text:
                yield f"{path.relative_to(ROOT)}: names the package index {address}"


if __name__ == "__main__":
    main()
