"""Llama 3.x: a call is bare JSON, or a list in Python's spelling, and stands alone. Llama 2 and CodeLlama: tags."""

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from paddock.families.call_reader import CallReader, CallsReader
from paddock.families.family import PlainFamily
from paddock.families.function_tags import FUNCTION, FunctionReader
from paddock.families.out import Out
from paddock.families.pythonic import CHARACTERS_MAX, read_calls
from paddock.families.speech import Reader
from paddock.families.tagged import COMMON_MARKUP, AnswerReader, Tags, tagged_calls
from paddock.families.turns import Turn, one_call_a_turn
from paddock.vocabulary import Message, Tool

_PYTHON_TAG: Final = "<|python_tag|>"
_ENDS: Final = ("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>")
_UNDECIDED_MAX: Final = 512  # characters of an object that may be a call, and has no name yet
_PYTHON_CALL: Final = re.compile(r"\[\s*(?P<name>[\w.\-]*)\s*(?P<next>.?)", re.DOTALL)


class LlamaFamily(PlainFamily):
    name: ClassVar[str] = "llama"
    end_texts: ClassVar[Sequence[str]] = _ENDS
    markup: ClassVar[frozenset[str]] = COMMON_MARKUP | frozenset({_PYTHON_TAG})
    tags: ClassVar[Tags] = Tags(ends=_ENDS)

    def conversation(self, messages: Sequence[Message], tools: Sequence[Tool], template: str) -> Sequence[Turn]:
        """See Family. Llama's template takes one call a message."""
        return one_call_a_turn(super().conversation(messages, tools, template))

    def answer_reader(self, tools: Sequence[Tool]) -> AnswerReader:
        """See PlainFamily. Its opening words decide: `{` and `[` may be calls."""
        if not tools:
            return AnswerReader(self.tags, {}, silent=(_PYTHON_TAG,))
        return _Opening(self.tags, tools)


class Llama2Family(PlainFamily):
    """No tools in its template: they are told in words. Its system message has tags of its own, which the template writes."""

    name: ClassVar[str] = "llama2"
    end_texts: ClassVar[Sequence[str]] = ("</s>",)
    tags: ClassVar[Tags] = Tags(ends=("</s>",))


class _Opening(AnswerReader):
    """Until it is clear whether the answer is calls or text; then either."""

    def __init__(self, tags: Tags, tools: Sequence[Tool]) -> None:
        super().__init__(
            tags,
            {
                FUNCTION: lambda back: FunctionReader(back, tools, _ENDS),
                "<tool_call>": tagged_calls("</tool_call>", *_ENDS),
            },
            silent=(_PYTHON_TAG, "</tool_call>"),
        )
        self._tools = frozenset(tool.name for tool in tools)
        self._held: list[str] = []
        self._length = 0
        self._is_python = False  # it is a list of calls, if it is whole in the end
        self._is_text = False
        self._calls: CallsReader | None = None

    def read(self, text: str, out: Out) -> None:
        if self._calls is not None:
            self._calls.feed(text)
        elif self._is_text:
            super().read(text, out)
        else:
            self._held.append(text)
            self._length += len(text)
            self._decide(out)

    def meet(self, marker: str, out: Out) -> Reader:
        self.end(out)
        # After its own tag, or a thought, an answer may be calls again; after anything else it is text.
        self._is_text = marker not in (_PYTHON_TAG, self._tags.think, self._tags.think_end)
        return super().meet(marker, out)

    def end(self, out: Out) -> None:
        if self._calls is not None:
            self._calls.end()
            self._calls = None
        elif not self._is_text:
            text = "".join(self._held)
            calls = read_calls(text, out.tool_names) if self._is_python else []
            for name, arguments in calls:
                out.call(name)
                out.argue(arguments)
                out.end_call()
            self._settle("" if calls else text, out)

    def _decide(self, out: Out) -> None:
        """Look at the first characters, however many there are: so the same is decided however they came."""
        if self._is_python:
            if self._length > CHARACTERS_MAX:
                self._settle("".join(self._held), out)
            return
        held = "".join(self._held)
        text = held[:_UNDECIDED_MAX].lstrip()
        names = self._names_a_tool(text)
        if names is None and self._length < _UNDECIDED_MAX:
            return
        if not names:
            self._settle(held, out)
        elif not self._is_python:
            self._calls = CallsReader(out)
            self._calls.feed(held)
            self._forget()

    def _names_a_tool(self, text: str) -> bool | None:
        """Whether what begins like this is a call; None while that is open."""
        if text.startswith("["):
            match = _PYTHON_CALL.match(text)
            assert match is not None, "it matches every bracket"
            name, after = match["name"], match["next"]
            if not after:
                return None if any(tool.startswith(name) for tool in self._tools) else False
            if name or after != "{":
                self._is_python = name in self._tools and after == "("
                return self._is_python
            text = text[match.start("next") :]
        if not text.startswith("{"):
            return False if text else None
        trial = Out(self._tools)
        reader = CallReader(trial)
        reader.feed(text)
        if trial.take().calls:
            return True
        return False if reader.is_over or reader.has_name else None

    def _settle(self, text: str, out: Out) -> None:
        """It is text."""
        self._is_text = True
        self._forget()
        if text:
            super().read(text, out)

    def _forget(self) -> None:
        self._held, self._length, self._is_python = [], 0, False
