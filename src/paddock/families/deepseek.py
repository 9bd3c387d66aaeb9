"""DeepSeek V2 to V3.1 and R1: calls between marks of their own, with the arguments in a code block or bare."""

import json
import re
from collections.abc import Sequence
from typing import ClassVar, Final

from paddock.families.family import PlainFamily
from paddock.families.out import Out
from paddock.families.speech import Reader
from paddock.families.tagged import COMMON_MARKUP, AnswerReader, Opening, Tags, tagged_calls
from paddock.families.turns import Turn
from paddock.vocabulary import Message, Tool

_BEGIN: Final = "<｜tool▁calls▁begin｜>"
_END: Final = "<｜tool▁calls▁end｜>"
_CALL: Final = "<｜tool▁call▁begin｜>"
_CALL_END: Final = "<｜tool▁call▁end｜>"
_SEPARATOR: Final = "<｜tool▁sep｜>"
_ENDS: Final = ("<｜end▁of▁sentence｜>",)
_FENCES: Final = ("```json", "```")
_WRITES_VALUES: Final = re.compile(r"arguments['\"\]]*\s*\|\s*tojson")


class DeepseekFamily(PlainFamily):
    name: ClassVar[str] = "deepseek"
    end_texts: ClassVar[Sequence[str]] = _ENDS
    markup: ClassVar[frozenset[str]] = COMMON_MARKUP | frozenset({_BEGIN, _END, _CALL, _CALL_END, _SEPARATOR})
    tags: ClassVar[Tags] = Tags(ends=_ENDS)

    def conversation(self, messages: Sequence[Message], tools: Sequence[Tool], template: str) -> Sequence[Turn]:
        """See Family. Most of its templates take arguments as text."""
        turns = super().conversation(messages, tools, template)
        if not _WRITES_VALUES.search(template):
            for turn in turns:
                for call in turn.get("tool_calls", ()):
                    arguments = call["function"]["arguments"]
                    if not isinstance(arguments, str):
                        call["function"]["arguments"] = json.dumps(arguments, ensure_ascii=False)
        return turns

    def answer_reader(self, tools: Sequence[Tool]) -> AnswerReader:
        openings: dict[str, Opening] = {_CALL: _Call}
        if tools:
            openings["<tool_call>"] = tagged_calls("</tool_call>", *_ENDS)
        silent = (_BEGIN, _END, _CALL_END, _SEPARATOR, *(("</tool_call>",) if tools else ()))
        return AnswerReader(self.tags, openings, silent=silent, calls_end_thoughts=bool(tools))


class _Call(Reader):
    """`name<sep>{…}`, or `function<sep>name`, then the arguments in a fence."""

    @property
    def markers(self) -> Sequence[str]:
        return (_CALL_END, _CALL, _SEPARATOR, _BEGIN, _END, *_ENDS)

    def __init__(self, back: Reader) -> None:
        self._back = back
        self._head: str | None = None  # what stood before the separator
        self._text: list[str] = []

    def read(self, text: str, out: Out) -> None:
        if out.is_calling:
            out.argue(text)
            return
        if not self._text:
            text = text.lstrip()
        if not text:
            return
        if self._head not in (None, "", "function") and not self._text and text[0] == "{":
            out.call(str(self._head))
            out.argue(text)
        else:
            self._text.append(text)

    def meet(self, marker: str, out: Out) -> Reader:
        if marker == _SEPARATOR:
            if self._head is None:
                self._head, self._text = "".join(self._text).strip(), []
            return self
        self._close(out, whole=marker == _CALL_END)
        return self._back if marker != _CALL else _Call(self._back)

    def end(self, out: Out) -> None:
        self._close(out, whole=False)

    def _close(self, out: Out, *, whole: bool) -> None:
        if out.is_calling:
            out.end_call(whole=whole)
            return
        text = "".join(self._text).rstrip()
        if not self._head:
            out.say(text)
            return
        name = self._head
        if name == "function":  # the kind of tool; the first line is the name
            name, _, text = text.partition("\n")
        if not name.strip():
            return
        out.call(name.strip())
        out.argue(_unfenced(text.strip()))
        out.end_call(whole=whole)


def _unfenced(text: str) -> str:
    for fence in _FENCES:
        if text.startswith(fence):
            return text.removeprefix(fence).removesuffix("```").strip()
    return text
