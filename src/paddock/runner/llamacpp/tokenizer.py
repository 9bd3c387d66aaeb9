"""Text to tokens and back for GGUF models: llama.cpp's tokenizer, and the chat template that the file carries."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from paddock.catalog.traits import normalised_architecture
from paddock.errors import UsageError
from paddock.families.detection import family_of
from paddock.families.family import Family
from paddock.families.turns import folded_system
from paddock.runner.chat_template import ChatTemplate
from paddock.runner.control_tokens import AddedToken, ControlTokens
from paddock.runner.llamacpp.files import ModelFiles
from paddock.runner.llamacpp.words import Words
from paddock.runner.opening import NOBODY_SAID
from paddock.vocabulary import Message, Thinking, Tool

_MARK: Final = re.compile(r"<[^<>\s]+>|\[[A-Z_/]+\]")
_ANCHOR: Final = "\n"  # no token of any vocabulary reaches over it from a blank


class LlamaTokenizer:
    """The runner's Tokenizer."""

    def __init__(self, files: ModelFiles, words: Words) -> None:
        self._name = files.name
        self._templates = files.templates
        self._words = words
        self._family = family_of(normalised_architecture(files.architecture), self.template)
        self._compiled: dict[str, ChatTemplate] = {}  # by source
        self._controls: dict[str, ControlTokens] = {}  # by source
        self._blank_first = words.join(words.split("a", whole=False)).startswith(" ")
        # Special tokens that nobody reads, not even the family; and those that no plain text shows.
        special = {text: token for text, (token, control) in words.added.items() if control}
        self._hidden = frozenset(token for text, token in special.items() if text not in self._family.markup)
        self._special = frozenset(special.values())

    @property
    def end_token_ids(self) -> frozenset[int]:
        """Those that the file names, and those that its family ends turns with."""
        family = {self._words.added[text][0] for text in self._family.end_texts if text in self._words.added}
        return self._words.ends | family

    @property
    def family(self) -> Family:
        """See Tokenizer."""
        return self._family

    @property
    def template(self) -> str:
        """See Tokenizer."""
        return "".join(self._templates.values())

    @property
    def marks(self) -> Mapping[str, int]:
        """See Tokenizer. Some files do not say of their marks that they are special; their form does."""
        return {text: token for text, (token, control) in self._words.added.items() if control or _MARK.fullmatch(text)}

    def encode(self, text: str) -> Sequence[int]:
        """See Tokenizer."""
        return self._words.split(text, whole=True)

    def encode_within(self, text: str) -> Sequence[int]:
        """See Tokenizer. Some tokenizers put a blank in front of whatever comes first."""
        if not self._blank_first:
            return self._words.split(text, whole=False)
        anchored = self._words.split(f"{_ANCHOR}{text}", whole=False)
        before = self._words.split(_ANCHOR, whole=False)
        if anchored[: len(before)] == before:
            return anchored[len(before) :]
        return self._words.split(text, whole=False)

    def render(
        self,
        messages: Sequence[Message],
        options: Mapping[str, Any],
        *,
        tools: Sequence[Tool] = (),
        thinking: Thinking = NOBODY_SAID,
    ) -> Sequence[int]:
        """See Tokenizer. Control tokens in what people wrote stay text (`ControlTokens`). Raises UsageError for pictures."""
        if any(message.images for message in messages):
            raise UsageError(
                f"`{self._name}` cannot see pictures: it came without a projector (a file `mmproj-….gguf`).",
                hint="Send text only, or pull a model that has one; `paddock list` shows which of yours see.",
            )
        return self._started(self._tokens_of(*self._rendered(messages, options, tools, thinking)))

    def decode(self, tokens: Sequence[int], *, special: bool = False) -> str:
        """See Tokenizer."""
        hidden = self._hidden if special else self._special
        return self._words.join([token for token in tokens if token not in hidden])

    def token_bytes(self, token: int) -> bytes:
        """See Tokenizer."""
        return self._words.bytes_of(token)

    def _rendered(
        self, messages: Sequence[Message], options: Mapping[str, Any], tools: Sequence[Tool], thinking: Thinking
    ) -> tuple[str, str | None]:
        """The conversation as one text, and the mark at which it is parted before it is taken apart into tokens."""
        source = self._source(tools)
        turns = self._family.conversation(messages, tools, source)
        options = {**self._family.options(tools, thinking, source), **options}
        try:
            return self._written(turns, options, source)
        except UsageError:
            if not any(message.role == "system" for message in messages):
                raise
            # Many templates know no system role; what it says then stands in front of the first question.
            return self._written(folded_system(turns), options, source)

    def _written(
        self, turns: Sequence[Mapping[str, Any]], options: Mapping[str, Any], source: str
    ) -> tuple[str, str | None]:
        if source not in self._compiled:
            named = {f"{name}_token": self._text(token) for name, token in self._words.named.items()}
            self._compiled[source] = ChatTemplate(source, named)
            added = [AddedToken(text, control) for text, (_, control) in self._words.added.items()]
            self._controls[source] = ControlTokens(added, source)
        guarded = self._controls[source].guard(turns, options)
        return self._compiled[source].render(guarded.messages, guarded.options), guarded.cut

    def _tokens_of(self, text: str, cut: str | None) -> list[int]:
        """Of a text that stands by itself."""
        first, *others = [text] if cut is None else text.split(cut)
        tokens = self._words.split(first, whole=False)
        return [*tokens, *(token for piece in others for token in self.encode_within(piece))]

    def _started(self, tokens: list[int]) -> list[int]:
        """Templates for llama.cpp may leave the start token to it; those of others write it themselves."""
        start = self._words.start
        return tokens if start is None or tokens[:1] == [start] else [start, *tokens]

    def _text(self, token: int) -> str:
        return self._words.bytes_of(token).decode("utf-8", "replace")

    def _source(self, tools: Sequence[Tool]) -> str:
        """The template's text. Some models have one of their own for tools."""
        named = self._templates
        source = named.get("tool_use", named.get("default")) if tools else named.get("default")
        if source is None:
            raise UsageError(
                f"`{self._name}` has no chat template, so it cannot take messages.",
                hint="Send `prompt` instead, or take the model's `-Instruct` or `-it` version.",
            )
        return source
