"""What a runner shows of itself while its device is at work: that it lives, how long the work takes, and numbers."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

from paddock.runner.channel import RunnerChannel
from paddock.runner.messages import Heartbeat, Numbers


class Pulse:
    """The device's thread writes, other threads read; every field is replaced whole, so no lock is needed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._busy_since: float | None = None
        self.numbers = Numbers()

    @contextmanager
    def busy(self) -> Generator[None]:
        """Around one piece of work on the device."""
        self._busy_since = self._clock()
        try:
            yield
        finally:
            self._busy_since = None

    @property
    def busy_s(self) -> float:
        since = self._busy_since
        return 0.0 if since is None else self._clock() - since


def beat(channel: RunnerChannel, pulse: Pulse, *, every_s: float) -> None:
    """Start to send heartbeats, until the process ends or the server is gone."""

    def run() -> None:
        pause = threading.Event()
        with suppress(OSError):  # the server is gone: whoever reads from it ends this process
            while not pause.wait(every_s):
                channel.send(Heartbeat(pulse.busy_s, pulse.numbers))

    threading.Thread(target=run, name="heartbeat", daemon=True).start()
