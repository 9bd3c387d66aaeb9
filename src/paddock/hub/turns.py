"""Threads that want the same thing take turns: two files of a model may have the same content, and so the same partial."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

_LOOK_S = 0.2  # how often one who waits looks whether to go on waiting


class Turns:
    """A lock for each key, there only while somebody holds it or waits."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def take(self, key: str, check: Callable[[], None]) -> Generator[None]:
        """Within the block nobody else holds `key`. `check` is called while waiting and may raise to give up."""
        with self._guard:
            lock, waiting = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (lock, waiting + 1)
        try:
            while not lock.acquire(timeout=_LOOK_S):
                check()
            try:
                yield
            finally:
                lock.release()
        finally:
            with self._guard:
                lock, waiting = self._locks[key]
                if waiting == 1:
                    del self._locks[key]
                else:
                    self._locks[key] = (lock, waiting - 1)
