"""`paddock version`."""

import platform
from dataclasses import dataclass

from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.version import VERSION

_NO_FLAGS = Flags()


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDocument:
    version: str
    python: str
    platform: str


def version(*, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """Print the version."""
    document = VersionDocument(version=VERSION, python=platform.python_version(), platform=platform.platform())
    desk.answer(document, lambda screen: screen.line(VERSION))
