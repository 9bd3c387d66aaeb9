"""Gemma 1 to 3: no system role, no tools in the template; both are told in words."""

from collections.abc import Sequence
from typing import ClassVar

from paddock.families.family import PlainFamily
from paddock.families.tagged import Tags
from paddock.families.turns import Turn, folded_system
from paddock.vocabulary import Message, Tool

_ENDS = ("<end_of_turn>", "<eos>")


class GemmaFamily(PlainFamily):
    name: ClassVar[str] = "gemma"
    end_texts: ClassVar[Sequence[str]] = _ENDS
    tags: ClassVar[Tags] = Tags(think="", think_end="", ends=_ENDS)
    thought_end: ClassVar[str] = ""

    def conversation(self, messages: Sequence[Message], tools: Sequence[Tool], template: str) -> Sequence[Turn]:
        """See Family. Its templates name the system role only to refuse it, or to fold it themselves."""
        return folded_system(super().conversation(messages, tools, template))
