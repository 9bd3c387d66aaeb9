"""Mistral and Mixtral, templates v1 to v3 and later: calls after `[TOOL_CALLS]`, ids of nine letters."""

import hashlib
import string
from collections.abc import Sequence
from typing import ClassVar, Final

from paddock.families.call_reader import CallReader
from paddock.families.family import PlainFamily, Turn
from paddock.families.speech import Out, Reader, Speech
from paddock.families.tagged import Tags
from paddock.vocabulary import Message, Tool

_CALLS: Final = "[TOOL_CALLS]"
_ARGUMENTS: Final = "[ARGS]"
_LETTERS: Final = string.ascii_letters + string.digits
_ENDS: Final = ("</s>",)


class MistralFamily(PlainFamily):
    name: ClassVar[str] = "mistral"
    end_texts: ClassVar[Sequence[str]] = _ENDS
    keeps_special_tokens: ClassVar[bool] = True  # `[TOOL_CALLS]` is one
    tags: ClassVar[Tags] = Tags(think="[THINK]", think_end="[/THINK]", ends=_ENDS)

    def conversation(self, messages: Sequence[Message], tools: Sequence[Tool], template: str) -> Sequence[Turn]:
        """See Family. The template refuses ids that are not nine letters or digits."""
        turns = super().conversation(messages, tools, template)
        for turn in turns:
            if "tool_call_id" in turn:
                turn["tool_call_id"] = nine_letters(turn["tool_call_id"])
            for call in turn.get("tool_calls", ()):
                call["id"] = nine_letters(call["id"])
        return turns

    def speech(self, prompt_tail: str, tools: Sequence[Tool]) -> Speech:
        names = frozenset(tool.name for tool in tools)
        return Speech(_Answer(self.tags), tool_names=names)


def nine_letters(call_id: str) -> str:
    """The id as it is when it fits, else nine letters that stand for it."""
    if len(call_id) == 9 and all(letter in _LETTERS for letter in call_id):
        return call_id
    digest = hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:9])


class _Answer:
    """What is said and thought, up to the calls."""

    def __init__(self, tags: Tags) -> None:
        self._tags = tags
        self._thinks = False

    @property
    def markers(self) -> Sequence[str]:
        return (_CALLS, self._tags.think, self._tags.think_end, "<tool_call>", *self._tags.ends)

    def read(self, text: str, out: Out) -> None:
        if self._thinks:
            out.think(text)
        else:
            out.say(text)

    def meet(self, marker: str, out: Out) -> Reader:
        if marker in (_CALLS, "<tool_call>"):
            return _Calls(out)
        self._thinks = marker == self._tags.think
        return self

    def end(self, out: Out) -> None:
        pass


class _Calls:
    """A list of objects, or `name[ARGS]{…}` as newer models write it."""

    def __init__(self, out: Out) -> None:
        self._call = CallReader(out)
        self._name = ""
        self._named: int | None = None

    @property
    def markers(self) -> Sequence[str]:
        return (_CALLS, _ARGUMENTS, "</tool_call>", *_ENDS)

    def read(self, text: str, out: Out) -> None:
        if self._named is not None:
            out.argue(self._named, text)
            return
        if self._name or (not self._call.whole and text.lstrip()[:1] not in ("", "{", "[", ",")):
            self._name += text
            return
        while text:
            if self._call.is_done:
                self._call.end()
                self._call = CallReader(out)
            if not self._call.whole:
                text = text.lstrip(" \t\r\n[],")
            if text:
                text = self._call.feed(text)

    def meet(self, marker: str, out: Out) -> Reader:
        if marker == _ARGUMENTS:
            self._named = out.call(self._name.strip())
            return self
        if marker == _CALLS:
            self._call.end()
            return _Calls(out)
        return self

    def end(self, out: Out) -> None:
        self._call.end()
        if not out.call_count:
            out.say((self._name or self._call.whole).strip())
