"""Qwen 2, 2.5, 3, VL and coder, and what speaks like them (ChatML with tags)."""

from collections.abc import Sequence
from typing import ClassVar

from paddock.families.family import PlainFamily
from paddock.families.function_tags import FUNCTION, FunctionReader
from paddock.families.tagged import AnswerReader, Tags
from paddock.vocabulary import Tool

_ENDS = ("<|im_end|>", "<|endoftext|>")


class QwenFamily(PlainFamily):
    name: ClassVar[str] = "qwen"
    end_texts: ClassVar[Sequence[str]] = _ENDS
    tags: ClassVar[Tags] = Tags(ends=_ENDS)


class QwenCoderFamily(QwenFamily):
    """Qwen3-Coder writes calls as tags: `<function=name><parameter=key>value</parameter></function>`."""

    name: ClassVar[str] = "qwen_coder"

    def answer_reader(self, tools: Sequence[Tool]) -> AnswerReader:
        if not tools:
            return super().answer_reader(tools)
        # `<tool_call>` stands around them, or does not.
        silent = (self.tags.call, self.tags.call_end)
        return AnswerReader(self.tags, {FUNCTION: lambda back: FunctionReader(back, tools, _ENDS)}, silent=silent)
