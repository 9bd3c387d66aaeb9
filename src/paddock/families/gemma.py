"""Gemma 1 to 3: no system role, no tools in the template; both are told in words."""

from collections.abc import Sequence
from typing import ClassVar

from paddock.families.family import PlainFamily, Turn, folded_system, told_in_text, turn_of
from paddock.families.tagged import Tags
from paddock.vocabulary import Message, Tool


class GemmaFamily(PlainFamily):
    name: ClassVar[str] = "gemma"
    end_texts: ClassVar[Sequence[str]] = ("<end_of_turn>", "<eos>")
    tags: ClassVar[Tags] = Tags(think="", think_end="", ends=("<end_of_turn>", "<eos>"))

    def conversation(self, messages: Sequence[Message], tools: Sequence[Tool], template: str) -> Sequence[Turn]:
        """See Family."""
        plain = not any(message.role == "tool" or message.tool_calls for message in messages)
        turns = [turn_of(message) for message in messages] if plain and not tools else None
        if turns is None:
            turns = told_in_text(messages, tools, self.tags)
        return folded_system(turns)
