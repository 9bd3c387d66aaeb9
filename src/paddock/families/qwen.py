"""Qwen 2, 2.5, 3, VL and coder, and what speaks like them (ChatML with tags)."""

from collections.abc import Sequence
from typing import ClassVar

from paddock.families.family import PlainFamily
from paddock.families.function_tags import FunctionTagsReader
from paddock.families.speech import Speech
from paddock.families.tagged import Tags
from paddock.vocabulary import Tool


class QwenFamily(PlainFamily):
    name: ClassVar[str] = "qwen"
    end_texts: ClassVar[Sequence[str]] = ("<|im_end|>", "<|endoftext|>")
    tags: ClassVar[Tags] = Tags(ends=("<|im_end|>", "<|endoftext|>"))


class QwenCoderFamily(QwenFamily):
    """Qwen3-Coder writes calls as tags: `<function=name><parameter=key>value</parameter></function>`."""

    name: ClassVar[str] = "qwen_coder"

    def speech(self, prompt_tail: str, tools: Sequence[Tool]) -> Speech:
        names = frozenset(tool.name for tool in tools)
        if not names:
            return super().speech(prompt_tail, tools)
        return Speech(FunctionTagsReader(self.tags, tools), tool_names=names)
