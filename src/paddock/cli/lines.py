"""Lines that a person types, without blocking the loop; and Ctrl-C that stops one answer, not the program."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TextIO, TypeVar

T = TypeVar("T")


async def read_line(stdin: TextIO) -> str | None:
    """The next line without its end; None at the end of input."""
    if stdin.isatty():  # it gives one whole line when it is ready, so nothing blocks
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(stdin.fileno(), lambda: ready.done() or ready.set_result(None))
        try:
            await ready
        finally:
            loop.remove_reader(stdin.fileno())
        line = stdin.readline()
    else:
        line = await asyncio.to_thread(stdin.readline)
    return line.rstrip("\r\n") if line else None


class Interruptible:
    """Runs one piece of work at a time, which Ctrl-C ends."""

    def __init__(self, idle: Callable[[], None]) -> None:
        """`idle` is called for a Ctrl-C when there is no work."""
        self._idle = idle
        self._work: asyncio.Task[Any] | None = None
        self._interrupted = False

    async def run(self, work: Coroutine[Any, Any, T]) -> T | None:
        """The result of `work`; None when it was interrupted."""
        self._interrupted = False
        self._work = asyncio.create_task(work)
        try:
            return await self._work
        except asyncio.CancelledError:
            if self._interrupted:
                return None
            raise
        finally:
            self._work = None

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        if self._work is None:
            self._idle()
        else:
            self._interrupted = True
            self._work.cancel()


@contextmanager
def interruptible(idle: Callable[[], None]) -> Generator[Interruptible]:
    """Take Ctrl-C for the time of the block."""
    work = Interruptible(idle)
    if threading.current_thread() is not threading.main_thread():  # only there may signals be taken
        yield work
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, work.interrupt)
    try:
        yield work
    finally:
        loop.remove_signal_handler(signal.SIGINT)
