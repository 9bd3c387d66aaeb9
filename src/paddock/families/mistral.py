"""Mistral and Mixtral, templates v1 to v3 and later: calls after `[TOOL_CALLS]`, ids of nine letters."""

import hashlib
import string
from collections.abc import Sequence
from typing import ClassVar, Final

from paddock.families.call_reader import CallsReader
from paddock.families.family import PlainFamily
from paddock.families.out import Out
from paddock.families.speech import Reader
from paddock.families.tagged import COMMON_MARKUP, AnswerReader, Opening, Tags, tagged_calls
from paddock.families.turns import Turn, folded_system
from paddock.vocabulary import Message, Tool

_CALLS: Final = "[TOOL_CALLS]"
_CALL_ID: Final = "[CALL_ID]"
_ARGUMENTS: Final = "[ARGS]"
_SYSTEM_WITH_LAST: Final = "loop.last and system_message"  # else such a template leaves it out
_LETTERS: Final = string.ascii_letters + string.digits
_ENDS: Final = ("</s>",)


class MistralFamily(PlainFamily):
    name: ClassVar[str] = "mistral"
    end_texts: ClassVar[Sequence[str]] = _ENDS
    markup: ClassVar[frozenset[str]] = COMMON_MARKUP | frozenset({_CALLS, _CALL_ID, _ARGUMENTS, "[THINK]", "[/THINK]"})
    tags: ClassVar[Tags] = Tags(think="[THINK]", think_end="[/THINK]", ends=_ENDS)
    thought_end: ClassVar[str] = "[/THINK]"

    def conversation(self, messages: Sequence[Message], tools: Sequence[Tool], template: str) -> Sequence[Turn]:
        """See Family. Its templates refuse ids that are not nine letters or digits."""
        turns = super().conversation(messages, tools, template)
        if _SYSTEM_WITH_LAST in template and turns[-1]["role"] != "user":
            turns = folded_system(turns, into_last=True)
        for turn in turns:
            if "tool_call_id" in turn:
                turn["tool_call_id"] = nine_letters(turn["tool_call_id"])
            for call in turn.get("tool_calls", ()):
                call["id"] = nine_letters(call["id"])
        return turns

    def answer_reader(self, tools: Sequence[Tool]) -> AnswerReader:
        openings: dict[str, Opening] = {_CALLS: _Calls}
        if tools:
            openings["<tool_call>"] = tagged_calls("</tool_call>", *_ENDS)
        silent = (_ARGUMENTS, _CALL_ID, *(("</tool_call>",) if tools else ()))
        return AnswerReader(self.tags, openings, silent=silent, calls_end_thoughts=bool(tools))


def nine_letters(call_id: str) -> str:
    """The id as it is when it fits, else nine letters that stand for it."""
    if len(call_id) == 9 and all(letter in _LETTERS for letter in call_id):
        return call_id
    digest = hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:9])


class _Calls(Reader):
    """A list of objects, or `name[ARGS]{…}` as newer models write it."""

    @property
    def markers(self) -> Sequence[str]:
        return (_CALLS, _ARGUMENTS, _CALL_ID, *_ENDS)

    def __init__(self, back: Reader) -> None:
        self._back = back
        self._objects: CallsReader | None = None
        self._name: list[str] = []
        self._is_name = True  # not yet at the arguments

    def read(self, text: str, out: Out) -> None:
        if self._objects is None and not self._name and not out.is_calling:
            text = text.lstrip()
            if text[:1] in ("{", "["):
                self._objects = CallsReader(out)
        if self._objects is not None:
            self._objects.feed(text)
        elif out.is_calling:
            out.argue(text)
        elif self._is_name and text:
            self._name.append(text)

    def meet(self, marker: str, out: Out) -> Reader:
        if marker == _CALL_ID:
            self._is_name = False  # what follows is the id
        elif marker == _ARGUMENTS:
            if self._name and not out.is_calling:
                out.call("".join(self._name).strip())
                self._name = []
        else:
            self.end(out)
            return _Calls(self._back) if marker == _CALLS else self._back
        return self

    def end(self, out: Out) -> None:
        if self._objects is not None:
            self._objects.end()
            return
        out.end_call()
        if self._name:
            out.say("".join(self._name))
