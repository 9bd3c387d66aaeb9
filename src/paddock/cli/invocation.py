"""What one run of the program is given: words, variables, streams. Nothing below reads them from anywhere else."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from paddock.airgap.airgap import Airgap
    from paddock.app import World


def _nothing(airgap: "Airgap") -> None:
    pass


def _hold(airgap: "Airgap") -> None:
    from paddock.airgap.enclosing import enclose

    enclose(airgap)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One run. A test makes its own."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    workspace: Path
    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    now: Callable[[], datetime] = _now
    world: "World | None" = None  # None is the real one
    hold: Callable[["Airgap"], None] = (
        _nothing  # keeps the whole process to this machine; only of a process that is ours
    )

    @property
    def may_ask(self) -> bool:
        """Whether somebody is there to answer a question."""
        return self.stdin.isatty() and self.stderr.isatty()


def of_this_process() -> Invocation:
    return Invocation(
        arguments=sys.argv[1:],
        environment=os.environ,
        workspace=Path.cwd(),
        stdin=sys.stdin,
        stdout=sys.stdout,
        stderr=sys.stderr,
        hold=_hold,
    )
