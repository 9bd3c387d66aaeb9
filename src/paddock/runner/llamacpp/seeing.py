"""The tokenizer of a GGUF model that sees: conversations with pictures.

As in llama.cpp's own server, a picture is a mark in the text of its message: templates need not know of pictures, and what
stands around one (`<|vision_start|>` and the like) comes from the projector. The text on each side of a mark is taken apart
into tokens by itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from paddock.errors import InvalidTemplate, UsageError
from paddock.runner.llamacpp.files import ModelFiles
from paddock.runner.llamacpp.projector import Outline, Patch, Projector
from paddock.runner.llamacpp.tokenizer import LlamaTokenizer
from paddock.runner.llamacpp.words import Words
from paddock.runner.placing import looks, no_place, placed, too_long, unused
from paddock.runner.prompts import Prompt
from paddock.vocabulary import Message, Thinking, Tool

_PROBE: Final = "probe"


class SeeingTokenizer(LlamaTokenizer):
    """The tokenizer of a model with a projector."""

    def __init__(self, files: ModelFiles, words: Words, projector: Projector, *, whole_max: int) -> None:
        """`whole_max`: places that are read in one go at the most, for models that cannot read a picture in parts."""
        super().__init__(files, words)
        self._projector = projector
        self._whole_max = whole_max
        self._stand_in = words.named.get("pad", words.named.get("bos", 0))
        self._takes_text: dict[str, bool] = {}  # by source of the template: whether what a message says is a text to it

    def read(
        self,
        messages: Sequence[Message],
        options: Mapping[str, Any],
        *,
        context_window: int,
        tools: Sequence[Tool],
        thinking: Thinking,
    ) -> Prompt:
        """A conversation with pictures. Raises UsageError when there is no place for one of them, PromptTooLong."""
        pictures = [picture for message in messages for picture in message.images]
        outlines = [self._projector.outline(picture) for picture in pictures]
        mark = unused(message.content for message in messages)
        text, cut = self._rendered([placed(message, mark) for message in messages], options, tools, thinking)
        first, *others = text.split(mark)
        if len(others) != len(pictures):
            raise no_place(self._name, len(pictures), len(others))
        tokens = self._started(self._tokens_of(first, cut))
        places: list[int] = []
        for outline, piece in zip(outlines, others, strict=True):
            self._add(outline, tokens, places)
            tokens += self._tokens_of(piece, cut)
        if len(tokens) >= context_window:
            raise too_long(len(tokens), len(places), len(pictures), context_window)
        if places and places[-1] == len(tokens) - 1:
            raise UsageError(
                f"The conversation ends in a picture, and the chat template of `{self._name}` writes nothing behind it.",
                hint="Put text behind the picture.",
            )
        counts = [sum(part.count for part in outline if isinstance(part, Patch)) for outline in outlines]
        return Prompt(tokens, tuple(looks(pictures, counts, places)))

    def _add(self, outline: Outline, tokens: list[int], places: list[int]) -> None:
        for part in outline:
            if not isinstance(part, Patch):
                tokens += part
                continue
            if part.whole and part.count > self._whole_max:
                raise UsageError(
                    f"A picture takes {part.count} tokens; `{self._name}` reads {self._whole_max} of one at the most.",
                    hint="Send a smaller picture.",
                )
            places += range(len(tokens), len(tokens) + part.count)
            tokens += [self._stand_in] * part.count

    def _written(
        self, turns: Sequence[Mapping[str, Any]], options: Mapping[str, Any], source: str
    ) -> tuple[str, str | None]:
        if source not in self._takes_text:
            self._takes_text[source] = True
            self._takes_text[source] = self._says_text(source)
        shaped = turns if self._takes_text[source] else [_in_parts(turn) for turn in turns]
        return super()._written(shaped, options, source)

    def _says_text(self, source: str) -> bool:
        """Some templates want what a message says in parts, and write nothing when it is a text."""
        try:
            text, _ = super()._written([{"role": "user", "content": _PROBE}], {}, source)
        except (UsageError, InvalidTemplate):
            return True
        return _PROBE in text


def _in_parts(turn: Mapping[str, Any]) -> Mapping[str, Any]:
    content = turn.get("content")
    return {**turn, "content": [{"type": "text", "text": content}]} if isinstance(content, str) else turn
