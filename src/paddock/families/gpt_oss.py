"""gpt-oss: the harmony format, where every message says on which channel it is and to whom it goes.

<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>commentary to=functions.weather<|message|>{…}<|call|>
<|channel|>final<|message|>…<|return|>
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from paddock.families.family import PlainFamily
from paddock.families.out import Out
from paddock.families.speech import Reader
from paddock.families.tagged import COMMON_MARKUP, Tags
from paddock.families.turns import Turn, one_call_a_turn
from paddock.vocabulary import Message, Thinking, Tool

_CHANNEL: Final = "<|channel|>"
_MESSAGE: Final = "<|message|>"
_CONSTRAIN: Final = "<|constrain|>"
_START: Final = "<|start|>"
_CALL: Final = "<|call|>"
_ENDS: Final = ("<|end|>", "<|return|>", _CALL)
_TO: Final = re.compile(r"to=(?:functions\.)?(?P<name>[^\s<]+)")
_HEADER_MAX: Final = 512  # characters; more is no header


class GptOssFamily(PlainFamily):
    name: ClassVar[str] = "gpt_oss"
    end_texts: ClassVar[Sequence[str]] = ("<|return|>", _CALL)  # `<|end|>` ends a message, not the turn
    markup: ClassVar[frozenset[str]] = COMMON_MARKUP | frozenset({_CHANNEL, _MESSAGE, _CONSTRAIN, _START, *_ENDS})
    tags: ClassVar[Tags] = Tags(think="", think_end="", ends=_ENDS)
    thought_end: ClassVar[str] = "<|end|><|start|>assistant<|channel|>final<|message|>"

    def conversation(self, messages: Sequence[Message], tools: Sequence[Tool], template: str) -> Sequence[Turn]:
        """See Family. A message has one call, and what was thought before it; beside that it has no text."""
        turns = one_call_a_turn(super().conversation(messages, tools, template))
        for turn in turns:
            thought = turn.pop("reasoning_content", "")
            if not thought:
                continue
            if "tool_calls" in turn and turn["content"]:
                thought, turn["content"] = f"{thought}\n\n{turn['content']}", ""
            turn["thinking"] = thought
        return turns

    def options(self, tools: Sequence[Tool], thinking: Thinking, template: str) -> Mapping[str, Any]:
        """See Family. It always thinks; how much can be said."""
        effort = "low" if thinking.enabled is False else "medium"
        return {**super().options(tools, thinking, template), "reasoning_effort": effort}

    def reader(self, prompt_tail: str, tools: Sequence[Tool]) -> Reader:
        """See PlainFamily. The prompt ends with the name of the speaker."""
        return _Head()


class _Head(Reader):
    """Who speaks to whom on which channel; none of it is said. Words without any mark before them are said."""

    @property
    def markers(self) -> Sequence[str]:
        return (_MESSAGE, _CHANNEL, _CONSTRAIN, _START, *_ENDS)

    def __init__(self, *, is_marked: bool = False) -> None:
        self._is_marked = is_marked  # a mark stood before it: it is a header
        self._pieces: list[str] = []
        self._length = 0
        self._is_text = False

    def read(self, text: str, out: Out) -> None:
        if self._is_text:
            out.say(text)
            return
        self._pieces.append(text)
        self._length += len(text)
        if self._length > _HEADER_MAX:
            self._is_text = True
            out.say("".join(self._pieces))

    def meet(self, marker: str, out: Out) -> Reader:
        header = "".join(self._pieces).strip()
        if self._is_text:
            self._pieces, self._is_text = [], False
        elif not self._is_marked and _TO.search(header) is None and header not in ("", "assistant"):
            out.say("".join(self._pieces))
            self._pieces = []
        self._is_marked = marker not in _ENDS
        if marker == _MESSAGE:
            return self._body("".join(self._pieces), out)
        if marker == _START or marker in _ENDS:
            return _Head(is_marked=self._is_marked)
        self._pieces.append(" ")
        return self

    def end(self, out: Out) -> None:
        if not self._is_marked and not self._is_text:  # a model that was not taught harmony
            out.say("".join(self._pieces))

    def _body(self, header: str, out: Out) -> Reader:
        to = _TO.search(header)
        if to is not None:
            out.call(to["name"])
            return _Arguments()
        return _Thought() if "analysis" in header else _Words()


class _Words(Reader):
    """What is said to the caller."""

    @property
    def markers(self) -> Sequence[str]:
        return (*_ENDS, _START, _CHANNEL)

    def read(self, text: str, out: Out) -> None:
        out.say(text)

    def meet(self, marker: str, out: Out) -> Reader:
        return _Head(is_marked=marker in (_START, _CHANNEL))


class _Thought(_Words):
    @property
    def is_thought(self) -> bool:
        return True

    def read(self, text: str, out: Out) -> None:
        out.think(text)


class _Arguments(_Words):
    def read(self, text: str, out: Out) -> None:
        out.argue(text)

    def meet(self, marker: str, out: Out) -> Reader:
        out.end_call(whole=marker == _CALL)
        return super().meet(marker, out)

    def end(self, out: Out) -> None:
        out.end_call(whole=False)
