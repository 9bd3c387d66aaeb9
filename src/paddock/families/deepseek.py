"""DeepSeek V2 to V3.1 and R1: calls between marks of their own, with the arguments in a code block or bare."""

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from paddock.families.family import PlainFamily
from paddock.families.speech import Out, Reader, Speech
from paddock.families.tagged import Tags
from paddock.vocabulary import Tool

_BEGIN: Final = "<｜tool▁calls▁begin｜>"
_END: Final = "<｜tool▁calls▁end｜>"
_CALL: Final = "<｜tool▁call▁begin｜>"
_CALL_END: Final = "<｜tool▁call▁end｜>"
_SEPARATOR: Final = "<｜tool▁sep｜>"
_ENDS: Final = ("<｜end▁of▁sentence｜>",)
_FENCE: Final = re.compile(r"^(?P<name>[^\n]+)\n```(?:json)?\n(?P<arguments>.*?)\n?```\s*$", re.DOTALL)


class DeepseekFamily(PlainFamily):
    name: ClassVar[str] = "deepseek"
    end_texts: ClassVar[Sequence[str]] = _ENDS
    keeps_special_tokens: ClassVar[bool] = True
    tags: ClassVar[Tags] = Tags(call=_BEGIN, call_end=_END, ends=_ENDS)

    def speech(self, prompt_tail: str, tools: Sequence[Tool]) -> Speech:
        names = frozenset(tool.name for tool in tools)
        thinks = prompt_tail.rstrip().endswith(self.tags.think)
        return Speech(_Answer(self.tags, thinks=thinks), tool_names=names)


class _Answer:
    def __init__(self, tags: Tags, *, thinks: bool, after: bool = False) -> None:
        self._tags = tags
        self._thinks = thinks
        self._after = after or thinks  # blanks here are layout

    @property
    def markers(self) -> Sequence[str]:
        return (_BEGIN, _END, _CALL, self._tags.think, self._tags.think_end, *self._tags.ends)

    def read(self, text: str, out: Out) -> None:
        text = text.lstrip() if self._after else text
        if not text:
            return
        self._after = False
        if self._thinks:
            out.think(text)
        else:
            out.say(text)

    def meet(self, marker: str, out: Out) -> Reader:
        if marker == _CALL:
            return _Call(self._tags)
        self._thinks = marker == self._tags.think
        self._after = True
        return self

    def end(self, out: Out) -> None:
        pass


class _Call:
    """`name<sep>{…}`, or `function<sep>name`, then the arguments in a fence."""

    markers: Sequence[str] = (_CALL_END, _SEPARATOR, *_ENDS)

    def __init__(self, tags: Tags) -> None:
        self._tags = tags
        self._text = ""
        self._head: str | None = None
        self._index: int | None = None

    def read(self, text: str, out: Out) -> None:
        if self._index is not None:
            out.argue(self._index, text)
            return
        self._text += text
        if self._head is not None and self._head != "function" and self._text.lstrip()[:1] == "{":
            self._index = out.call(self._head)
            out.argue(self._index, self._text.lstrip())

    def meet(self, marker: str, out: Out) -> Reader:
        if marker == _SEPARATOR:
            self._head, self._text = self._text.strip(), ""
            return self
        self.end(out)
        return _Answer(self._tags, thinks=False, after=True)

    def end(self, out: Out) -> None:
        if self._index is not None:
            return
        if (fenced := _FENCE.match(self._text.strip())) is not None:
            out.call(fenced["name"].strip(), fenced["arguments"].strip() or "{}")
        elif self._head:
            out.call(self._head, self._text.strip() or "{}")
        elif self._text.strip():
            out.say(self._text.strip())
