"""Conversations with pictures: the model's own template writes a mark for each, and the mark becomes the picture's tokens.

On its way through family and template a picture is one character that stands for nothing, in the text where it belongs. A
template that takes contents in parts gets the text cut at it, and writes its mark; in one that takes texts only, it comes
out at the other end, and is made the mark then. Marks in what people wrote are control tokens, and stay text.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from paddock.errors import InvalidTemplate, UsageError
from paddock.runner.chat_template import SOURCE_CHARACTERS_MAX
from paddock.runner.mlx.tokenizer import MlxTokenizer
from paddock.runner.mlx.vision.processing import PictureReader
from paddock.runner.placing import PLACES, looks, no_place, placed, too_long, unused
from paddock.runner.prompts import Prompt
from paddock.vocabulary import Message, Thinking, Tool

_PROBE: Final = "probe"


class SeeingTokenizer(MlxTokenizer):
    """The tokenizer of a model that sees."""

    def __init__(
        self, wrapper: Any, name: str, *, architecture: str, reader: PictureReader, templates: Sequence[str]
    ) -> None:
        """`templates`: the chat templates in the model's files, those that came beside its processor first."""
        self._reader = reader
        self._template_sources = tuple(dict.fromkeys(templates))
        self._chosen: str | None = None
        self._takes_text = True
        self._place = PLACES[0]
        super().__init__(wrapper, name, architecture=architecture)
        self._choose()

    def read(
        self,
        messages: Sequence[Message],
        options: Mapping[str, Any],
        *,
        context_window: int,
        tools: Sequence[Tool] = (),
        thinking: Thinking,
    ) -> Prompt:
        """A conversation with pictures. Raises UsageError when there is no place for one of them, PromptTooLong."""
        pictures = [picture for message in messages for picture in message.images]
        expansions = [self._reader.expansion(picture) for picture in pictures]
        self._place = unused(message.content for message in messages)
        try:
            text, cut = self._write([placed(message, self._place) for message in messages], options, tools, thinking)
        except InvalidTemplate as error:
            roles = dict.fromkeys(message.role for message in messages if message.images and message.role != "user")
            if not roles:
                raise
            raise UsageError(
                f"The chat template of `{self._name}` has no place for pictures in messages of the {' or the '.join(roles)}.",
                hint="Put pictures into messages of the user.",
            ) from error
        pieces = text.replace(self._place, self._reader.mark).split(self._reader.mark)
        if len(pieces) - 1 != len(pictures):
            raise no_place(self._name, len(pictures), len(pieces) - 1)
        filled = pieces[0] + "".join(
            expansion.text + piece for expansion, piece in zip(expansions, pieces[1:], strict=True)
        )
        tokens = self._encode_rendered(filled, cut)
        places = [place for place, token in enumerate(tokens) if token == self._reader.place_token]
        assert len(places) == sum(each.places for each in expansions), (
            "a picture's tokens are read as they were written"
        )
        if len(tokens) >= context_window:
            raise too_long(len(tokens), len(places), len(pictures), context_window)
        return Prompt(tokens, tuple(looks(pictures, [each.places for each in expansions], places)))

    def _written(
        self, turns: Sequence[Mapping[str, Any]], options: Mapping[str, Any], source: str
    ) -> tuple[str, str | None]:
        return super()._written([self._shaped(turn) for turn in turns], options, source)

    def _shaped(self, turn: Mapping[str, Any]) -> Mapping[str, Any]:
        """`turn` in the form that the template takes."""
        content = turn.get("content")
        if not isinstance(content, str) or not self._takes_parts or (self._takes_text and self._place not in content):
            return turn
        parts: list[dict[str, str]] = []
        for number, text in enumerate(content.split(self._place)):
            if number:
                parts.append({"type": "image"})
            if text:
                parts.append({"type": "text", "text": text})
        return {**turn, "content": parts or [{"type": "text", "text": ""}]}

    def _special(self) -> frozenset[str]:
        return super()._special() | self._reader.words

    def _templates(self) -> Mapping[str, str]:
        return super()._templates() if self._chosen is None else {**super()._templates(), "default": self._chosen}

    def _choose(self) -> None:
        """The template that writes a mark for a picture: some models come with two, and the tokenizer's knows none."""
        own = super()._templates().get("default")
        candidates: list[str] = [*self._template_sources, *([own] if own is not None else [])]
        self._takes_parts = False
        for source in candidates:
            self._chosen, self._takes_parts = source, True
            if self._says([{"type": "image"}, {"type": "text", "text": _PROBE}], self._reader.mark, _PROBE):
                self._takes_text = self._says(_PROBE, _PROBE)
                return
        # None of them takes parts: a picture's place is written into the text.
        self._chosen, self._takes_parts = next(iter(candidates), None), False

    def _says(self, content: Any, *wanted: str) -> bool:
        assert self._chosen is not None, "a candidate is tried"
        try:
            text, _ = super()._written([{"role": "user", "content": content}], {}, self._chosen)
        except (UsageError, InvalidTemplate):
            return False
        return all(each in text for each in wanted)


def templates_beside(folder: Path, processor: Any) -> Iterator[str]:
    """The chat templates that come with a model's processor: of its files, and the one that its class knows."""
    try:
        told = json.loads((folder / "chat_template.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        told = None
    if isinstance(told, dict) and isinstance(text := cast("dict[str, Any]", told).get("chat_template"), str):
        yield text
    path = folder / "chat_template.jinja"
    if path.is_file() and path.stat().st_size <= 4 * SOURCE_CHARACTERS_MAX:
        yield path.read_text(errors="replace")
    own = getattr(processor, "chat_template", None)
    if isinstance(own, str):
        yield own
