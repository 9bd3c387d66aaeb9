"""Phi 3 and 4: calls in a list between tags of special tokens."""

from collections.abc import Sequence
from typing import ClassVar

from paddock.families.family import PlainFamily
from paddock.families.tagged import Tags

_ENDS = ("<|end|>", "<|endoftext|>", "<|im_end|>")


class PhiFamily(PlainFamily):
    name: ClassVar[str] = "phi"
    end_texts: ClassVar[Sequence[str]] = _ENDS
    keeps_special_tokens: ClassVar[bool] = True
    tags: ClassVar[Tags] = Tags(call="<|tool_call|>", call_end="<|/tool_call|>", ends=_ENDS)
