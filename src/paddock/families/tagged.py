"""Thoughts and calls between tags: `<think>…</think>`, `<tool_call>{"name": …, "arguments": …}</tool_call>`.

An end without a beginning is dropped: what came before it was told already, and cannot be called a thought any more. Models
whose template begins the thought for them are read as thinking from the first word (`Family.speech`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from paddock.families.call_reader import CallsReader
from paddock.families.out import Out
from paddock.families.speech import Reader

Opening = Callable[[Reader], Reader]
"""Makes the reader of what a marker opens; it is given who reads on behind that."""

COMMON_MARKUP: Final = frozenset({"<think>", "</think>", "<tool_call>", "</tool_call>"})
"""Special tokens in some vocabularies, words in others."""

_LAYOUT_MAX: Final = 1024  # blanks held back at the end of a thought


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """What a family writes around things. Empty is: it has no such thing."""

    think: str = "<think>"
    think_end: str = "</think>"
    call: str = "<tool_call>"
    call_end: str = "</tool_call>"
    ends: tuple[str, ...] = ()  # of a turn, where they come as text


class AnswerReader(Reader):
    """What is said to the caller."""

    def __init__(
        self,
        tags: Tags,
        openings: Mapping[str, Opening],
        *,
        silent: Sequence[str] = (),
        calls_end_thoughts: bool = False,
        is_after: bool = False,
    ) -> None:
        """`openings`: what begins calls. `silent`: other marks that are never said. `calls_end_thoughts`: where calls begin
        with a token that stands for nothing else, a thought that was not closed ends there.
        """
        self._tags = tags
        self._openings = openings
        self._calls_end_thoughts = calls_end_thoughts
        self._call_marks = (*openings, *silent)
        self._is_after = is_after  # a thought or a call: blanks are layout
        wanted = (tags.think, tags.think_end, *openings, *silent, *tags.ends)
        self._markers = tuple(dict.fromkeys(marker for marker in wanted if marker))

    @property
    def markers(self) -> Sequence[str]:
        return self._markers

    def read(self, text: str, out: Out) -> None:
        if self._is_after:
            text = text.lstrip()
            self._is_after = not text
        if text:
            out.say(text)

    def meet(self, marker: str, out: Out) -> Reader:
        if marker == self._tags.think:
            return self.thought()
        self._is_after = self._is_after or marker not in self._tags.ends
        opening = self._openings.get(marker)
        return opening(self) if opening is not None else self

    def thought(self) -> Reader:
        """Who reads a thought, and leaves the rest to this one."""
        self._is_after = True
        return ThoughtReader(self._tags, self, self._call_marks if self._calls_end_thoughts else ())


class ThoughtReader(Reader):
    """What the model says to itself."""

    def __init__(self, tags: Tags, back: Reader, endings: Sequence[str] = ()) -> None:
        self._tags = tags
        self._back = back
        self._begun = False
        self._blank = ""
        self._markers = tuple(m for m in (tags.think_end, tags.think, *endings, *tags.ends) if m)

    @property
    def is_thought(self) -> bool:
        return True

    @property
    def markers(self) -> Sequence[str]:
        return self._markers

    def read(self, text: str, out: Out) -> None:
        text = self._blank + (text if self._begun else text.lstrip())
        # Blanks before the closing tag are layout.
        told = max(len(text.rstrip()), len(text) - _LAYOUT_MAX)
        self._blank = text[told:]
        if told:
            self._begun = True
            out.think(text[:told])

    def meet(self, marker: str, out: Out) -> Reader:
        if marker in (self._tags.think, *self._tags.ends):
            return self
        return self._back if marker == self._tags.think_end else self._back.meet(marker, out)


class TaggedCalls(Reader):
    """Between the tags of a call: JSON objects, or a list of them."""

    def __init__(self, back: Reader, *, ends: Sequence[str]) -> None:
        """`ends`: the closing tag, and what ends turns."""
        self._back = back
        self._ends = tuple(end for end in ends if end)
        self._calls: CallsReader | None = None

    @property
    def markers(self) -> Sequence[str]:
        return self._ends

    def read(self, text: str, out: Out) -> None:
        if self._calls is None:
            self._calls = CallsReader(out)
        self._calls.feed(text)

    def meet(self, marker: str, out: Out) -> Reader:
        self.end(out)
        return self._back

    def end(self, out: Out) -> None:
        if self._calls is not None:
            self._calls.end()


def tagged_calls(*ends: str) -> Opening:
    """The opening of calls in JSON that end with one of `ends`."""
    return lambda back: TaggedCalls(back, ends=ends)
