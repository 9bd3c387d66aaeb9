"""Llama 3.x and CodeLlama: a call is bare JSON, or a list in Python's spelling, and stands alone in the answer."""

from collections.abc import Sequence
from typing import ClassVar, Final

from paddock.families.call_reader import CallReader
from paddock.families.family import PlainFamily, Turn, knows_tools, told_in_text, turn_of
from paddock.families.function_tags import FunctionTagsReader
from paddock.families.pythonic import read_calls
from paddock.families.speech import Out, Reader, Speech
from paddock.families.tagged import Tags
from paddock.vocabulary import Message, Tool

_PYTHON_TAG: Final = "<|python_tag|>"
_ENDS: Final = ("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>")
_UNDECIDED_MAX: Final = 256  # characters of something that looks like a call, and names none of the tools


class LlamaFamily(PlainFamily):
    name: ClassVar[str] = "llama"
    end_texts: ClassVar[Sequence[str]] = _ENDS
    keeps_special_tokens: ClassVar[bool] = True  # `<|python_tag|>` is one
    tags: ClassVar[Tags] = Tags(think="", think_end="", call="", call_end="", ends=_ENDS)

    def conversation(self, messages: Sequence[Message], tools: Sequence[Tool], template: str) -> Sequence[Turn]:
        """See Family. Llama's template takes one call a message."""
        if not knows_tools(template):
            return told_in_text(messages, tools, Tags())
        turns: list[Turn] = []
        for message in messages:
            turn = turn_of(message)
            calls = turn.get("tool_calls", [])
            if len(calls) <= 1:
                turns.append(turn)
            else:
                turns.extend({**turn, "tool_calls": [call]} for call in calls)
        return turns

    def speech(self, prompt_tail: str, tools: Sequence[Tool]) -> Speech:
        names = frozenset(tool.name for tool in tools)
        return Speech(_Opening(tools) if names else _Rest(self.tags), tool_names=names)


class _Rest:
    """Everything is said, but for the tokens that end a turn."""

    def __init__(self, tags: Tags) -> None:
        self._tags = tags

    @property
    def markers(self) -> Sequence[str]:
        return (*self._tags.ends, _PYTHON_TAG)

    def read(self, text: str, out: Out) -> None:
        out.say(text)

    def meet(self, marker: str, out: Out) -> Reader:
        return self

    def end(self, out: Out) -> None:
        pass


class _Opening:
    """The first characters decide: `{` and `[` may be calls, `<function=` is one, anything else is said."""

    markers: Sequence[str] = (*_ENDS, _PYTHON_TAG, "<function=")

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = tools
        self._text = ""
        self._said = False
        self._call: CallReader | None = None
        self._try = Out()

    def read(self, text: str, out: Out) -> None:
        if self._said:
            out.say(text)
            return
        self._text += text
        start = self._text.lstrip()[:1]
        if self._call is not None or start == "{":
            self._read_objects(out)
        elif start and start != "[":
            self._give_up(out)

    def meet(self, marker: str, out: Out) -> Reader:
        if marker == "<function=":
            return FunctionTagsReader(Tags(think="", think_end="", call="", call_end="", ends=_ENDS), self._tools).meet(
                marker, out
            )
        return self

    def end(self, out: Out) -> None:
        if self._said:
            return
        text = self._text.strip()
        if text.startswith("["):
            calls = read_calls(text, out.tool_names)
            for name, arguments in calls:
                out.call(name, arguments)
            if not calls:
                self._give_up(out)
        elif self._call is not None:
            self._call.end()
            if not out.call_count:
                self._give_up(out)

    def _read_objects(self, out: Out) -> None:
        """One object after the other, `;` or blanks between them."""
        if self._call is None and not self._names_a_tool(out):
            return
        while self._text:
            if self._call is None or self._call.is_done:
                self._text = self._text.lstrip(" \t\r\n;,")
                if not self._text:
                    return
                if self._call is not None:
                    self._call.end()
                self._call = CallReader(out)
            self._text = self._call.feed(self._text)

    def _names_a_tool(self, out: Out) -> bool:
        """Whether the object that begins is a call. While that is open, nothing is told."""
        trial = Out()
        reader = CallReader(trial)
        reader.feed(self._text.lstrip())
        if trial.calls:
            if trial.calls[0].name in out.tool_names:
                return True
            self._give_up(out)
        elif reader.is_done or reader.is_broken or len(self._text) > _UNDECIDED_MAX:
            self._give_up(out)
        return False

    def _give_up(self, out: Out) -> None:
        self._said = True
        out.say(self._text)
        self._text = ""
