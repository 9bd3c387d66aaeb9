"""Reads an answer's text as it comes, and parts it: what is said, what is thought, which tools are called.

    text ─► Speech ─► Reader of the moment ─► Out ─► Parts
                        │  meets a marker, `</think>` or `<tool_call>`
                        └► the next Reader

A marker may arrive in any number of pieces: what could be the beginning of one is held back until it is clear. So the parts
are the same however the text was cut, and no marker is ever said.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

from paddock.families.out import Out, Parts

HELD_MAX: Final = 262_144  # characters of what may still become a call; more is said
_SLICE: Final = 1024  # characters looked at together, so that a long text full of markers costs no more than its length


class Reader(ABC):
    """Reads until one of its markers comes. No marker of a reader begins, or stands in, another."""

    @property
    def is_thought(self) -> bool:
        """Whether what it reads is thought."""
        return False

    @property
    @abstractmethod
    def markers(self) -> Sequence[str]: ...

    @abstractmethod
    def read(self, text: str, out: Out) -> None:
        """Text without markers."""

    @abstractmethod
    def meet(self, marker: str, out: Out) -> "Reader":
        """A marker came. Returns who reads on."""

    def end(self, out: Out) -> None:  # noqa: B027  (most have nothing left to say)
        """The answer ended here."""


class Speech:
    """One answer. `feed` it as it comes, then `end` it."""

    def __init__(self, reader: Reader, *, tool_names: frozenset[str] = frozenset(), parallel: bool = True) -> None:
        """`tool_names`: what may be called; what else looks like a call is said. Not `parallel`: one call at most."""
        self._reader = reader
        self._held = ""
        self._out = Out(tool_names, parallel=parallel)

    @property
    def has_called(self) -> bool:
        """Whether a tool was called so far."""
        return self._out.call_count > 0

    @property
    def is_complete(self) -> bool:
        """The one call that was allowed is made: nothing that follows is heard."""
        return self._out.is_complete

    @property
    def is_thinking(self) -> bool:
        """Whether the next words would be thought."""
        return self._reader.is_thought

    def feed(self, text: str) -> Parts:
        """What can be said after `text`."""
        for at in range(0, len(text), _SLICE):
            self._feed(text[at : at + _SLICE])
        return self._out.take()

    def end(self) -> Parts:
        """What was held back, once nothing more comes."""
        held, self._held = self._held, ""
        self._read(held)
        self._reader.end(self._out)
        self._out.close()
        return self._out.take()

    def _feed(self, text: str) -> None:
        self._held += text
        while (found := _first(self._held, self._reader.markers)) is not None:
            at, marker = found
            self._read(self._held[:at])
            self._held = self._held[at + len(marker) :]
            self._reader = self._reader.meet(marker, self._out)
        keep = max((_overlap(self._held, marker) for marker in self._reader.markers), default=0)
        ready, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        self._read(ready)

    def _read(self, text: str) -> None:
        if text:
            self._reader.read(text, self._out)


def _first(text: str, markers: Sequence[str]) -> tuple[int, str] | None:
    """The marker that begins first."""
    found = [(at, marker) for marker in markers if (at := text.find(marker)) >= 0]
    return min(found) if found else None


def _overlap(text: str, marker: str) -> int:
    """How many characters at the end of `text` could be the beginning of `marker`."""
    for length in range(min(len(text), len(marker) - 1), 0, -1):
        if text.endswith(marker[:length]):
            return length
    return 0
