"""Phi 3 and 4: calls in a list between tags of special tokens, tools as a text in the system message."""

import json
import re
from collections.abc import Sequence
from typing import ClassVar, Final

from paddock.families.family import PlainFamily
from paddock.families.tagged import COMMON_MARKUP, Tags
from paddock.families.turns import Turn, described, turn_of
from paddock.vocabulary import Message, Tool

_ENDS: Final = ("<|end|>", "<|endoftext|>", "<|im_end|>")
_TOOLS_OF_SYSTEM: Final = re.compile(r"""message(\[['"]tools['"]\]|\.tools)""")


class PhiFamily(PlainFamily):
    name: ClassVar[str] = "phi"
    end_texts: ClassVar[Sequence[str]] = _ENDS
    markup: ClassVar[frozenset[str]] = COMMON_MARKUP | frozenset({"<|tool_call|>", "<|/tool_call|>"})
    tags: ClassVar[Tags] = Tags(call="<|tool_call|>", call_end="<|/tool_call|>", ends=_ENDS)

    def conversation(self, messages: Sequence[Message], tools: Sequence[Tool], template: str) -> Sequence[Turn]:
        """See Family. Phi 4's template writes `tools` of the system message, and calls not at all."""
        if not _TOOLS_OF_SYSTEM.search(template):
            return super().conversation(messages, tools, template)
        turns = [turn_of(message) for message in messages]
        for turn in turns:
            if calls := turn.pop("tool_calls", None):
                listed = json.dumps([call["function"] for call in calls], ensure_ascii=False)
                turn["content"] = f"{turn['content']}{self.tags.call}{listed}{self.tags.call_end}"
        if not tools:
            return turns
        if not turns or turns[0]["role"] != "system":
            turns.insert(0, {"role": "system", "content": ""})
        turns[0]["tools"] = json.dumps([described(tool)["function"] for tool in tools], ensure_ascii=False)
        return turns
