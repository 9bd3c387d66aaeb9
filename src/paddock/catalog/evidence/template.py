"""What a chat template gives away: tools and thinking."""

import re
from collections.abc import Mapping
from typing import Any

from paddock.catalog.clues import Clues
from paddock.catalog.values import as_list, as_mapping, as_text

_CHARACTERS_MAX = 512 * 1024
# `tools` as a variable in a block, not the word in a sentence; or the marks around a call.
_TOOLS = re.compile(
    r"\{[%{](?:(?![%}]\}).){0,2000}?\b(?:tools|tool_calls)\b|<tool_call>|\[TOOL_CALLS\]|<\|python_tag\|>", re.S
)
_THINKING = re.compile(
    r"<think>|enable_thinking|\[THINK\]|<\|channel\|>analysis|reasoning_effort|\{%[^%]{0,200}\bthinking\b"
)


def clues_of_template(template: str) -> Clues:
    """A template answers both questions, so what it does not mention is a no."""
    template = template[:_CHARACTERS_MAX]
    return Clues(tools=bool(_TOOLS.search(template)), thinking=bool(_THINKING.search(template)))


def template_in(tokenizer_config: Mapping[str, Any] | None) -> str | None:
    """The template in tokenizer_config.json: a text, or named ones, of which `tool_use` tells most."""
    told = (tokenizer_config or {}).get("chat_template")
    if isinstance(told, str):
        return as_text(told)
    named = [as_mapping(item) for item in as_list(told)]
    texts = [text for item in named if (text := as_text(item.get("template")))]
    return "\n".join(texts) or None
