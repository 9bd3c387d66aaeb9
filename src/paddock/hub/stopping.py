"""How a running transfer is told to stop: a message, looked at between chunks, that also wakes whoever waits."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

from paddock.errors import Interrupted


class Stop:
    """Asked for once, from any thread; seen by every transfer that holds it. Pause and cancel are the same to a
    transfer: it keeps what it has; the library decides whether the parts stay."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._wakers: set[Callable[[], None]] = set()

    def request(self) -> None:
        """Ask everyone to stop. Blocked reads are woken."""
        with self._lock:
            self._event.set()
            wakers = list(self._wakers)
        for wake in wakers:
            wake()

    @property
    def requested(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise Interrupted when someone asked to stop."""
        if self._event.is_set():
            raise Interrupted("The transfer was stopped.", hint="Pull the model again to go on where it stopped.")

    def wait(self, seconds: float) -> None:
        """Sleep that ends at once, with Interrupted, when someone asks to stop."""
        self._event.wait(seconds)
        self.check()

    @contextmanager
    def waking(self, wake: Callable[[], None]) -> Generator[None]:
        """Within the block, a request to stop calls `wake` (from the asking thread) to end a blocked read."""
        with self._lock:
            self._wakers.add(wake)
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._wakers.discard(wake)
