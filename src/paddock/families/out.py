"""Where readers put what they read, and the rules that hold for every family alike.

- A call of a tool that was not offered is no call: it is said, as JSON.
- Arguments that are no JSON object are followed by words that say so.
- Where one call is allowed, the first is told and nothing after it.
- Blanks around calls are layout.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from paddock.vocabulary import ToolCallDelta

_BLANKS_MAX: Final = 1024  # held back; of more the first are said


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What some text brought. Empty when all of it is held back or was markup."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[ToolCallDelta, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.text or self.reasoning or self.calls)


class Out:
    """One answer's. A call is `call`, then `argue` as often as it takes, then `end_call`; one at a time."""

    def __init__(self, tool_names: frozenset[str] = frozenset(), *, parallel: bool = True) -> None:
        self.tool_names = tool_names
        self.call_count = 0
        self.is_complete = False  # nothing more is taken in
        self._parallel = parallel
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[ToolCallDelta] = []
        self._blank = ""  # at the end of what was said: part of the answer only if more is said
        self._open: str | None = None  # the name of the call under way
        self._is_told = False  # and whether it is told as one
        self._arguments: list[str] = []

    def say(self, text: str) -> None:
        """More of the answer. Without tools every character goes out at once."""
        if self.is_complete:
            return
        if not self.tool_names:
            self._text.append(text)
            return
        text = self._blank + text
        said = max(len(text.rstrip()), len(text) - _BLANKS_MAX)
        self._blank = text[said:]
        self._text.append(text[:said])

    def think(self, text: str) -> None:
        if not self.is_complete:
            self._reasoning.append(text)

    def call(self, name: str) -> None:
        """A call begins."""
        assert self._open is None, f"{name} is called within {self._open}"
        self._open, self._is_told = name, name in self.tool_names and not self.is_complete
        self._arguments = []
        if self._is_told:
            self._blank = ""
            self._tell(name=name)
        else:
            self.say(f'{{"name": {json.dumps(name, ensure_ascii=False)}, "arguments": ')

    def argue(self, arguments: str) -> None:
        """More of its arguments."""
        if not arguments:
            return
        self._arguments.append(arguments)
        if self._is_told:
            self._tell(arguments=arguments)
        else:
            self.say(arguments)

    def end_call(self, *, whole: bool = True) -> None:
        """It is over. `whole`: it was written to its end, so that none is what its arguments are if none came."""
        if self._open is None:
            return
        if whole and not self._arguments:
            self.argue("{}")
        name, self._open = self._open, None
        if not self._is_told:
            self.say("}")
            return
        self.call_count += 1
        if not is_object("".join(self._arguments)):
            self.say(f"\n[The arguments of the call of `{name}` are not valid JSON.]")
        self.is_complete = not self._parallel

    @property
    def is_calling(self) -> bool:
        """A call has begun and is not over."""
        return self._open is not None

    def close(self) -> None:
        """Nothing follows: blanks that were held back belong to an answer that called nothing."""
        if self._blank and not self.call_count:
            self._text.append(self._blank)
        self._blank = ""

    def take(self) -> Parts:
        """What came since the last time, of each call in one piece."""
        calls = tuple(_joined(list(pieces)) for _, pieces in groupby(self._calls, lambda piece: piece.index))
        parts = Parts(text="".join(self._text), reasoning="".join(self._reasoning), calls=calls)
        self._text, self._reasoning, self._calls = [], [], []
        return parts

    def _tell(self, *, name: str = "", arguments: str = "") -> None:
        index = self.call_count
        self._calls.append(
            ToolCallDelta(index=index, id=f"call_{index}" if name else "", name=name, arguments=arguments)
        )


def _joined(pieces: Sequence[ToolCallDelta]) -> ToolCallDelta:
    return replace(pieces[0], arguments="".join(piece.arguments for piece in pieces))


def is_object(text: str) -> bool:
    """Whether `text` is a JSON object."""
    return isinstance(loads(text), dict)


def loads(text: str) -> object:
    """The value that `text` is in JSON; None when it is none. Numbers as other languages have them: no NaN, no Infinity."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> object:
    raise ValueError(constant)
