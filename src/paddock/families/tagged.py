"""Thoughts and calls between tags: `<think>…</think>`, `<tool_call>{"name": …, "arguments": …}</tool_call>`."""

from collections.abc import Sequence
from dataclasses import dataclass

from paddock.families.call_reader import CallReader
from paddock.families.speech import Out, Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """What a family writes around things. Empty is: it has no such thing."""

    think: str = "<think>"
    think_end: str = "</think>"
    call: str = "<tool_call>"
    call_end: str = "</tool_call>"
    ends: tuple[str, ...] = ()  # of a turn, where they come as text


class AnswerReader:
    """What is said to the caller."""

    def __init__(self, tags: Tags, *, calls: bool, after_thought: bool = False) -> None:
        """`calls`: whether tools were offered; without, a call's tag is text like any other."""
        self._tags = tags
        self._calls = calls
        self._at_start = after_thought  # then line breaks before the answer are layout

    @property
    def markers(self) -> Sequence[str]:
        tags = self._tags
        wanted = [tags.think, tags.think_end, *tags.ends]
        if self._calls:
            wanted += [tags.call, tags.call_end]
        return [marker for marker in wanted if marker]

    def read(self, text: str, out: Out) -> None:
        if self._at_start:
            text = text.lstrip()
            if not text:
                return
            self._at_start = False
        out.say(text)

    def meet(self, marker: str, out: Out) -> Reader:
        tags = self._tags
        if marker == tags.think:
            return ThoughtReader(tags, calls=self._calls)
        if marker == tags.call:
            return TaggedCall(tags, out)
        return self  # an end without a beginning

    def end(self, out: Out) -> None:
        pass


class ThoughtReader:
    """What the model says to itself."""

    def __init__(self, tags: Tags, *, calls: bool) -> None:
        self._tags = tags
        self._calls = calls
        self._begun = False
        self._blank = ""

    @property
    def markers(self) -> Sequence[str]:
        return [marker for marker in (self._tags.think_end, self._tags.think, *self._tags.ends) if marker]

    def read(self, text: str, out: Out) -> None:
        text = self._blank + (text if self._begun else text.lstrip())
        body = text.rstrip()
        self._blank = text[len(body) :]  # before the closing tag it is layout
        if body:
            self._begun = True
            out.think(body)

    def meet(self, marker: str, out: Out) -> Reader:
        if marker == self._tags.think_end:
            return AnswerReader(self._tags, calls=self._calls, after_thought=True)
        return self

    def end(self, out: Out) -> None:
        pass


class TaggedCall:
    """Between the tags of a call: one JSON object, or a list of them."""

    def __init__(self, tags: Tags, out: Out) -> None:
        self._tags = tags
        self._call = CallReader(out)
        self._whole = ""

    @property
    def markers(self) -> Sequence[str]:
        return [marker for marker in (self._tags.call_end, *self._tags.ends) if marker]

    def read(self, text: str, out: Out) -> None:
        self._whole += text
        while text:
            if self._call.is_done:
                self._call.end()
                text = text.lstrip(" \t\r\n,]")
                if not text:
                    return
                self._call = CallReader(out)
            if not self._call.whole.strip():
                text = text.lstrip(" \t\r\n[,]")
                if not text:
                    return
            text = self._call.feed(text)

    def meet(self, marker: str, out: Out) -> Reader:
        self._close(out)
        return AnswerReader(self._tags, calls=True, after_thought=True)

    def end(self, out: Out) -> None:
        self._close(out)

    def _close(self, out: Out) -> None:
        self._call.end()
        if not out.call_count and self._whole.strip():  # no call was in it: better said than lost
            out.say(self._whole.strip())
