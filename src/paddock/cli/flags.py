"""The options that many commands share. Each command takes one of these three as `flags`."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """Of every command."""

    json: Annotated[bool, Parameter(help="Write one JSON document to stdout, and JSON lines to stderr.")] = False

    airgap: Annotated[bool, Parameter(help="Reach nothing beyond this machine, whatever is asked for.")] = False

    @property
    def assume_yes(self) -> bool:
        return False


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class AskingFlags(Flags):
    """Of a command that may ask."""

    yes: Annotated[bool, Parameter(name=("--yes", "-y"), help="Answer every question with yes.")] = False

    @property
    def assume_yes(self) -> bool:
        return self.yes


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class ChangingFlags(AskingFlags):
    """Of a command that changes something."""

    dry_run: Annotated[bool, Parameter(help="Only show what would change.")] = False
