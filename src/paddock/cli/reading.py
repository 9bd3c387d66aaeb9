"""Files that a command is given."""

from pathlib import Path
from typing import Final

from paddock.cli.desk import Desk
from paddock.errors import InvalidFile, StorageError

CHARACTERS_MAX: Final = 16 << 20  # as many as a file of rules has


def read_text(desk: Desk, file: Path, *, characters_max: int = CHARACTERS_MAX) -> str:
    """What stands in it, as far as `characters_max`; `-` is standard input. Raises InvalidFile, StorageError."""
    if str(file) == "-":
        return desk.invocation.stdin.read(characters_max)
    path = desk.invocation.workspace / file
    try:
        with path.open(encoding="utf-8") as stream:
            return stream.read(characters_max)
    except UnicodeDecodeError as error:
        raise InvalidFile(f"{path} is no text: {error.reason}.", hint="Save it as UTF-8.") from error
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror or error}.", hint="Check the path and its permissions."
        ) from error
