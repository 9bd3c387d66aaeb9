"""Messages from the thread that reads the socket to the thread that owns the device."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from paddock.runner.executor import Constraint
from paddock.runner.messages import ToRunner

_MESSAGES_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class Ready:
    """From a thread of our own: what a request's answer is held to, or why it cannot be."""

    request_id: str
    ticket: int  # an id may be used again; this is not
    prepared: Constraint | Exception


Incoming = ToRunner | Ready


class Inbox:
    """Bounded: when it is full the reader waits, the socket fills up, and the server waits. Waiting costs nothing."""

    def __init__(self, messages_max: int = _MESSAGES_MAX) -> None:
        self._messages: deque[Incoming] = deque()
        self._messages_max = messages_max
        self._changed = threading.Condition()

    def put(self, message: Incoming) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._messages) < self._messages_max)
            self._messages.append(message)
            self._changed.notify_all()

    def take(self, *, wait: bool) -> Sequence[Incoming]:
        """Everything that is there, in order. With `wait`, at least one message."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: bool(self._messages))
            messages = tuple(self._messages)
            self._messages.clear()
            self._changed.notify_all()
            return messages
