"""Threads that go through a step together: each does its share of a layer, and they meet where one needs another's.

A thread that waits for the next task costs a fifth of a millisecond on a busy machine, a meeting a few microseconds; a step
has hundreds of places where work could be shared out. So a step is handed out once, and the rest are meetings.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import numpy as np

from paddock.runner.mlx.cores import CORES, PRODUCTS, Task, side_by_side

SHARES_MAX: Final = 8  # more threads would wait for Python's lock and for the memory, not compute


class Broken(Exception):
    """Another of the team failed; what it raised is told by the one who sent them."""


class Member:
    """One thread of a team, in one piece of work."""

    def __init__(self, number: int, meeting: "_Meeting") -> None:
        self.number = number
        self.of = meeting.size
        self._meeting = meeting

    def meet(self) -> None:
        """Wait until all are here. Raises Broken when one will never come."""
        self._meeting.wait(self.number)

    def share_out(self, tasks: Iterator[Task]) -> None:
        """All come with the same iterator: whoever is free takes the next. Who is alone takes all cores for it."""
        if self.of == 1:
            side_by_side(list(tasks))
            return
        for task in tasks:  # on a list's iterator a step of the interpreter: no two get the same one
            task()


class Team:
    """So many threads; the one that calls `run` is the first of them."""

    def __init__(self, size_max: int = SHARES_MAX) -> None:
        self.size = max(1, min(CORES, SHARES_MAX, size_max))
        self._others = ThreadPoolExecutor(self.size - 1, thread_name_prefix="team") if self.size > 1 else None

    def run(self, work: Callable[[Member], None]) -> None:
        """Everybody does `work`, with as many meetings as all others; returns when all are done. Products take one thread
        each meanwhile. Raises what the first to fail raised."""
        meeting = _Meeting(self.size)

        def careful(number: int) -> None:
            try:
                with np.errstate(all="ignore"):  # what is no number, and what is too large, is told from the logits
                    work(Member(number, meeting))
            except BaseException:
                meeting.end()
                raise

        if self._others is None:
            careful(0)
            return
        PRODUCTS.set_threads(1)
        try:
            others = [self._others.submit(careful, number) for number in range(1, self.size)]
            failures: list[BaseException] = []
            try:
                careful(0)
            except BaseException as error:  # noqa: BLE001  (raised below, once nobody works on the same memory any more)
                failures.append(error)
            failures += [error for other in others if (error := other.exception()) is not None]
        finally:
            PRODUCTS.set_threads(CORES)
        if failures:
            raise next((error for error in failures if not isinstance(error, Broken)), failures[0])


class _Meeting:
    """Who comes last lets all others go on."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._arrivals = itertools.count(1)  # `next` is one step of the interpreter: no two get the same number
        self._gates = [threading.Lock() for _ in range(size)]
        for gate in self._gates:
            gate.acquire()
        self._ended = False

    def wait(self, number: int) -> None:
        if self.size == 1:
            return
        if next(self._arrivals) % self.size:
            self._gates[number].acquire()
        else:
            self._open(but=number)
        if self._ended:
            raise Broken

    def end(self) -> None:
        """Whoever waits, or comes yet, learns that it was in vain."""
        self._ended = True
        self._open()

    def _open(self, but: int | None = None) -> None:
        for number, gate in enumerate(self._gates):
            if number != but:
                with suppress(RuntimeError):  # it is open already: somebody ended the meeting
                    gate.release()
