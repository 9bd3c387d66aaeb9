"""The seam for models that run otherwise than step by step through an executor: they read the inbox themselves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from paddock.runner.channel import RunnerChannel
from paddock.runner.executor import LoadedModel
from paddock.runner.inbox import Inbox
from paddock.runner.opening import LoadOptions, OpenedModel
from paddock.runner.pulse import Pulse


@dataclass(frozen=True, slots=True, kw_only=True)
class Wires:
    """What connects a runner's main thread with everybody else."""

    channel: RunnerChannel  # to the server; any thread may send
    inbox: Inbox  # what the server sent
    pulse: Pulse  # shows that the device is at work, and numbers


class Worker(Protocol):
    """A loaded model that answers what comes in. Made, run and closed by one thread, the one that opened the model."""

    def run(self) -> None:
        """Answer until Shutdown comes. Every request gets its last event, every call its reply: what is wrong, too.

        Raises OSError when the server is gone; whatever else it raises ends the process, and the server is told.
        """
        ...

    def close(self) -> None:
        """Let go of the device."""
        ...


class OpenedWorker(Protocol):
    """A model that was opened and brings its own work."""

    @property
    def model(self) -> LoadedModel: ...

    def worker(self, wires: Wires) -> Worker: ...


Opened = OpenedModel | OpenedWorker
OpenModel = Callable[[LoadOptions], Opened]
"""Runs in the thread that will own the device. Raises PaddockError for what a user can cause."""
