"""Reads an answer's text as it comes, and parts it: what is said, what is thought, which tools are called.

    text ─► Speech ─► Reader of the moment ─► Parts
                        │  meets a marker, `</think>` or `<tool_call>`
                        └► the next Reader

A marker may arrive in any number of pieces: what could be the beginning of one is held back until it is clear. So the parts
are the same however the text was cut, and no marker is ever said.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from paddock.vocabulary import ToolCallDelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What some text brought. Empty when all of it is held back or was markup."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[ToolCallDelta, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.text or self.reasoning or self.calls)


@dataclass(slots=True)
class Out:
    """Where readers put what they read."""

    tool_names: frozenset[str] = frozenset()
    text: list[str] = field(default_factory=list[str])
    reasoning: list[str] = field(default_factory=list[str])
    calls: list[ToolCallDelta] = field(default_factory=list[ToolCallDelta])
    call_count: int = 0
    _blank: str = ""  # blanks at the end of what was said: part of the answer only if more is said
    _said: bool = False

    def say(self, text: str) -> None:
        """More of the answer. Without tools every character goes out at once."""
        if not self.tool_names:
            self.text.append(text)
            return
        text = self._blank + text
        body = text.rstrip()
        self._blank = text[len(body) :]
        if body:
            self.text.append(body)
            self._said = True

    def think(self, text: str) -> None:
        self.reasoning.append(text)

    def call(self, name: str, arguments: str = "") -> int:
        """A call begins; blanks in front of it were layout. Returns its index."""
        index = self.call_count
        self.call_count += 1
        self._blank = ""
        self.calls.append(ToolCallDelta(index=index, id=f"call_{index}", name=name, arguments=arguments))
        return index

    def argue(self, index: int, arguments: str) -> None:
        """More of a call's arguments."""
        if arguments:
            self.calls.append(ToolCallDelta(index=index, arguments=arguments))

    def close(self) -> None:
        """Nothing follows: blanks that were held back belong to an answer that called nothing."""
        if self._blank and not self.call_count:
            self.text.append(self._blank)
        self._blank = ""

    def take(self) -> Parts:
        parts = Parts(text="".join(self.text), reasoning="".join(self.reasoning), calls=tuple(self.calls))
        self.text.clear()
        self.reasoning.clear()
        self.calls.clear()
        return parts


class Reader(Protocol):
    """Reads until one of its markers comes."""

    @property
    def markers(self) -> Sequence[str]: ...

    def read(self, text: str, out: Out) -> None:
        """Text without markers."""
        ...

    def meet(self, marker: str, out: Out) -> "Reader":
        """A marker came. Returns who reads on."""
        ...

    def end(self, out: Out) -> None:
        """The answer ended here."""
        ...


class Speech:
    """One answer. `feed` it as it comes, then `end` it."""

    def __init__(self, reader: Reader, *, tool_names: frozenset[str] = frozenset()) -> None:
        self._reader = reader
        self._held = ""
        self._out = Out(tool_names=tool_names)

    @property
    def has_called(self) -> bool:
        """Whether a tool was called so far."""
        return self._out.call_count > 0

    def feed(self, text: str) -> Parts:
        """What can be said after `text`."""
        self._held += text
        while (found := _first(self._held, self._reader.markers)) is not None:
            at, marker = found
            self._read(self._held[:at])
            self._held = self._held[at + len(marker) :]
            self._reader = self._reader.meet(marker, self._out)
        keep = max((_overlap(self._held, marker) for marker in self._reader.markers), default=0)
        ready, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        self._read(ready)
        return self._out.take()

    def end(self) -> Parts:
        """What was held back, once nothing more comes."""
        held, self._held = self._held, ""
        self._read(held)
        self._reader.end(self._out)
        self._out.close()
        return self._out.take()

    def _read(self, text: str) -> None:
        if text:
            self._reader.read(text, self._out)


def _first(text: str, markers: Sequence[str]) -> tuple[int, str] | None:
    """The marker that begins first. No marker of a reader is the beginning of another."""
    found = [(at, marker) for marker in markers if (at := text.find(marker)) >= 0]
    return min(found) if found else None


def _overlap(text: str, marker: str) -> int:
    """How many characters at the end of `text` could be the beginning of `marker`."""
    for length in range(min(len(text), len(marker) - 1), 0, -1):
        if text.endswith(marker[:length]):
            return length
    return 0
