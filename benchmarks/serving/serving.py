"""The seam between the rows and who is measured."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import psutil

from benchmarks.asking import Answer, Ask


class Serving(Protocol):
    """Up, with one model loaded."""

    @property
    def process(self) -> psutil.Process:
        """The one whose children do the rest of the work."""
        ...

    async def answer(self, ask: Ask) -> Answer:
        """Greedy and streamed. Raises Incomplete for an answer of another length, RuntimeError for a refusal."""
        ...


class Contender(Protocol):
    """Somebody who can be started with a model, any number of times."""

    @property
    def name(self) -> str: ...

    @property
    def may_pause(self) -> bool:
        """Whether its processes may be stopped while it is another's turn. One that costs nothing when idle need not be."""
        ...

    def serving(self, model: Path) -> AbstractAsyncContextManager[Serving]:
        """Starts it and waits until it answers; ends every process of it afterwards."""
        ...


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all that it has started."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(process: psutil.Process) -> float:
    """What all of them have used so far."""
    total = 0.0
    for each in family(process):
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def memory_bytes(process: psutil.Process) -> int:
    """What all of them hold that nobody else does."""
    total = 0
    for each in family(process):
        try:
            total += each.memory_full_info().uss
        except psutil.NoSuchProcess:
            continue
    return total
