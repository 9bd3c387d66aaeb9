"""Files that a command is given."""

from pathlib import Path

from paddock.cli.desk import Desk
from paddock.errors import InvalidFile, StorageError
from paddock.gateway.rule_book import FILE_BYTES_MAX


def read_text(desk: Desk, file: Path) -> str:
    """What stands in it; `-` is standard input. Raises InvalidFile, StorageError."""
    if str(file) == "-":
        return desk.invocation.stdin.read(FILE_BYTES_MAX)
    path = desk.invocation.workspace / file
    try:
        with path.open(encoding="utf-8") as stream:
            return stream.read(FILE_BYTES_MAX)
    except UnicodeDecodeError as error:
        raise InvalidFile(f"{path} is no text: {error.reason}.", hint="Save it as UTF-8.") from error
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror or error}.", hint="Check the path and its permissions."
        ) from error
