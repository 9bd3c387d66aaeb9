"""gpt-oss: the harmony format, where every message says on which channel it is and to whom it goes.

<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>commentary to=functions.weather<|message|>{…}<|call|>
<|channel|>final<|message|>…<|return|>
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from paddock.families.family import PlainFamily
from paddock.families.speech import Out, Reader, Speech
from paddock.families.tagged import Tags
from paddock.vocabulary import Thinking, Tool

_CHANNEL: Final = "<|channel|>"
_MESSAGE: Final = "<|message|>"
_CONSTRAIN: Final = "<|constrain|>"
_START: Final = "<|start|>"
_ENDS: Final = ("<|end|>", "<|return|>", "<|call|>")
_TO: Final = re.compile(r"to=(?:functions\.)?(?P<name>[^\s<]+)")


class GptOssFamily(PlainFamily):
    name: ClassVar[str] = "gpt_oss"
    end_texts: ClassVar[Sequence[str]] = ("<|return|>", "<|call|>")  # `<|end|>` ends a message, not the turn
    keeps_special_tokens: ClassVar[bool] = True
    tags: ClassVar[Tags] = Tags(think="", think_end="", call="", call_end="", ends=_ENDS)

    def options(self, tools: Sequence[Tool], thinking: Thinking, template: str) -> Mapping[str, Any]:
        """See Family. It always thinks; how much can be said."""
        effort = {True: "medium", False: "low", None: "medium"}[thinking.enabled]
        return {**super().options(tools, thinking, template), "reasoning_effort": effort}

    def speech(self, prompt_tail: str, tools: Sequence[Tool]) -> Speech:
        return Speech(_Head(), tool_names=frozenset(tool.name for tool in tools))


class _Head:
    """Who speaks to whom on which channel; none of it is said."""

    markers: Sequence[str] = (_MESSAGE, _CHANNEL, _CONSTRAIN, _START, *_ENDS)

    def __init__(self) -> None:
        self._header = ""
        self._seen_mark = False

    def read(self, text: str, out: Out) -> None:
        self._header += text

    def meet(self, marker: str, out: Out) -> Reader:
        self._seen_mark = True
        if marker != _MESSAGE:
            self._header += " "
            return self
        to = _TO.search(self._header)
        if to is not None:
            return _Body("call", out.call(to["name"]))
        return _Body("analysis" if "analysis" in self._header else "final")

    def end(self, out: Out) -> None:
        if not self._seen_mark:  # a model that was not taught harmony
            out.say(self._header)


class _Body:
    """What is said on one channel."""

    markers: Sequence[str] = (*_ENDS, _START, _CHANNEL)

    def __init__(self, channel: str, index: int | None = None) -> None:
        self._channel = channel
        self._index = index

    def read(self, text: str, out: Out) -> None:
        if self._index is not None:
            out.argue(self._index, text)
        elif self._channel == "analysis":
            out.think(text)
        else:
            out.say(text)

    def meet(self, marker: str, out: Out) -> Reader:
        return _Head().meet(marker, out) if marker in (_START, _CHANNEL) else _Head()

    def end(self, out: Out) -> None:
        pass
