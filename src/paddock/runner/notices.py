"""Lines for the server's log: what happened here to which requests. Never a word of what these said."""

import traceback
from collections.abc import Iterable
from typing import Final, Protocol

from paddock.runner.messages import Notice, ToServer

_REQUESTS_MAX: Final = 64  # named in one line; a step has no more


class Wire(Protocol):
    def send(self, message: ToServer) -> None: ...


class Notices:
    """Sends them. Raises OSError when the server is gone."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def tell(self, event: str, requests: Iterable[str] = (), **fields: str | int) -> None:
        """`event` is one word, such as `step_broke`."""
        self._wire.send(Notice(event, tuple(requests)[:_REQUESTS_MAX], fields))


def where(error: BaseException) -> str:
    """`TypeError at template.py:12`: its kind and where it came from. Its message may quote a prompt, so it is left out."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    return f"{type(error).__name__} at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}"
