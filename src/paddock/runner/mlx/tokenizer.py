"""Text to tokens and back, with mlx-lm's tokenizer and the model's own chat template."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from paddock.errors import Corrupt, UsageError
from paddock.families.detection import family_of
from paddock.families.family import Family
from paddock.families.turns import folded_system
from paddock.runner.chat_template import ChatTemplate
from paddock.runner.control_tokens import AddedToken, ControlTokens
from paddock.runner.mlx.seam import read_tokenizer
from paddock.runner.mlx.spelling import Spelling
from paddock.runner.opening import NOBODY_SAID
from paddock.vocabulary import Message, Thinking, Tool

_SPECIAL: Final = ("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token")
_MARK: Final = re.compile(r"<[^<>\s]+>|\[[A-Z_/]+\]")
_HINT: Final = "Pull the model again: `paddock pull`."


@dataclass(frozen=True, slots=True)
class Blindness:
    """Why a model sees no pictures here, and what to do about it."""

    why: str = ""
    hint: str = "Send text only, or ask a model that sees, such as `pony-vision`."


BLIND: Final = Blindness()


class MlxTokenizer:
    """The runner's Tokenizer."""

    def __init__(self, wrapper: Any, name: str, *, architecture: str = "", blindness: Blindness = BLIND) -> None:
        self._wrapper = wrapper
        self._name = name
        self._blindness = blindness
        self._compiled: dict[str, ChatTemplate] = {}  # by source
        self._control_tokens: dict[str, ControlTokens] = {}  # by template
        self._spelling = Spelling(wrapper)
        self._family = family_of(architecture, self.template)
        known = wrapper.get_vocab()
        # Special tokens that nobody reads, not even the family.
        self._hidden = {int(known[text]) for text in self._special() - self._family.markup if text in known}
        # mlx-lm brings Python of its own for a few models whose conversations no Jinja describes.
        self._renders_itself = getattr(wrapper, "_chat_template", None) is not None

    @property
    def end_token_ids(self) -> frozenset[int]:
        """Those that the model's files name, and those that its family ends turns with."""
        known, added = self._wrapper.get_vocab(), self._added()
        # In some vocabularies these words are pieces of text like any other, which end nothing.
        family = {int(known[text]) for text in self.family.end_texts if text in known and text in added}
        return frozenset(int(token) for token in self._wrapper.eos_token_ids) | family

    @property
    def vocabulary(self) -> Mapping[str, int]:
        """Every token's text and number, special ones included."""
        return self._wrapper.get_vocab()

    def encode(self, text: str) -> Sequence[int]:
        """The tokens of a raw prompt, with whatever the model wants in front of one. Control tokens in it are meant."""
        return self._wrapper.encode(text)

    @property
    def family(self) -> Family:
        """How the model speaks, as its template shows."""
        return self._family

    @property
    def template(self) -> str:
        """See Tokenizer."""
        return "".join(self._templates().values())

    @property
    def marks(self) -> Mapping[str, int]:
        """See Tokenizer. Some tokenizers do not say of their marks that they are special; their form does."""
        added: Mapping[int, Any] = getattr(self._wrapper, "added_tokens_decoder", {})
        return {
            token.content: int(number)
            for number, token in added.items()
            if token.special or _MARK.fullmatch(token.content)
        }

    def render(
        self,
        messages: Sequence[Message],
        options: Mapping[str, Any],
        *,
        tools: Sequence[Tool] = (),
        thinking: Thinking = NOBODY_SAID,
    ) -> Sequence[int]:
        """The tokens of a conversation, up to where the answer begins.

        Thinking is off unless it is asked for. Control tokens in what people wrote stay text (`ControlTokens`).
        Raises UsageError when the model has no template or it refuses, and for pictures.
        """
        if any(message.images for message in messages):
            raise self._blind()
        return self._encode_rendered(*self._write(messages, options, tools, thinking))

    def _write(
        self, messages: Sequence[Message], options: Mapping[str, Any], tools: Sequence[Tool], thinking: Thinking
    ) -> tuple[str, str | None]:
        """A conversation as the model's template has it, and where control tokens in it were cut."""
        source = "" if self._renders_itself else self._source(tools)
        turns = self.family.conversation(messages, tools, source)
        options = {**self.family.options(tools, thinking, source), **options}
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
        guarded = self._controls(source).guard(turns, options)
        if self._renders_itself:
            text: str = self._wrapper.apply_chat_template(
                guarded.messages, add_generation_prompt=True, tokenize=False, **guarded.options
            )
            return text, guarded.cut
        if source not in self._compiled:
            self._compiled[source] = ChatTemplate(source, self._special_tokens())
        return self._compiled[source].render(guarded.messages, guarded.options), guarded.cut

    def _blind(self) -> UsageError:
        return UsageError(
            f"`{self._name}` cannot see pictures{self._blindness.why and f': {self._blindness.why}'}.",
            hint=self._blindness.hint,
        )

    def encode_within(self, text: str) -> Sequence[int]:
        """See Tokenizer."""
        return self._encode_on(text)

    def decode(self, tokens: Sequence[int], *, special: bool = False) -> str:
        """See Tokenizer."""
        if special:
            tokens = [token for token in tokens if token not in self._hidden]
        return self._wrapper.decode(list(tokens), skip_special_tokens=not special)

    def token_bytes(self, token: int) -> bytes:
        """What one token says, in UTF-8; of a token that is a part of a character, that part."""
        return self._spelling.bytes_of(token)

    def _encode_rendered(self, text: str, cut: str | None) -> Sequence[int]:
        """The tokens of a rendered conversation. The template writes the start token itself where the model wants one."""
        if cut is None:
            return self._wrapper.encode(text, add_special_tokens=False)
        first, *others = text.split(cut)
        tokens: list[int] = self._wrapper.encode(first, add_special_tokens=False)
        return [*tokens, *(token for piece in others for token in self._encode_on(piece))]

    def _encode_on(self, piece: str) -> Sequence[int]:
        """The tokens of `piece` in the middle of a text: some tokenizers put a blank in front of whatever comes first."""
        anchor: str | None = self._wrapper.eos_token
        tokens: list[int] = self._wrapper.encode(f"{anchor or ''}{piece}", add_special_tokens=False)
        if anchor is None:
            return tokens
        if piece and tokens[0] == self._wrapper.convert_tokens_to_ids(anchor):
            return tokens[1:]
        return self._wrapper.encode(piece, add_special_tokens=False)

    def _added(self) -> frozenset[str]:
        """The words that the tokenizer finds before it looks at anything else."""
        return frozenset(str(token.content) for token in self._added_tokens().values()) | self._special()

    def _special(self) -> frozenset[str]:
        marked = {str(token.content) for token in self._added_tokens().values() if token.special}
        return frozenset(marked | {str(text) for text in self._wrapper.all_special_tokens})

    def _added_tokens(self) -> Mapping[int, Any]:
        return getattr(self._wrapper, "added_tokens_decoder", {})

    def _controls(self, template: str) -> ControlTokens:
        if template not in self._control_tokens:
            added = self._added_tokens()
            words = [AddedToken(token.content, bool(token.special), bool(token.normalized)) for token in added.values()]
            words += [AddedToken(text, special=True) for text in self._special()]
            normalizer = getattr(getattr(self._wrapper, "backend_tokenizer", None), "normalizer", None)
            normalize = normalizer.normalize_str if normalizer is not None else None
            self._control_tokens[template] = ControlTokens(words, template, normalize=normalize)
        return self._control_tokens[template]

    def _source(self, tools: Sequence[Tool]) -> str:
        """The template's text. Some models have one of their own for tools."""
        templates = self._templates()
        source = templates.get("tool_use", templates.get("default")) if tools else templates.get("default")
        if source is None:
            raise UsageError(
                f"`{self._name}` has no chat template, so it cannot take messages.",
                hint="Send `prompt` instead, or take the model's `-Instruct` or `-it` version.",
            )
        return source

    def _templates(self) -> Mapping[str, str]:
        """By name; a model with one has it as `default`."""
        template: Any = self._wrapper.chat_template
        named = cast("dict[str, Any]", template) if isinstance(template, dict) else {"default": template}
        return {name: source for name, source in named.items() if isinstance(source, str)}

    def _special_tokens(self) -> dict[str, str]:
        tokens = {name: getattr(self._wrapper, name, None) for name in _SPECIAL}
        return {name: str(token) for name, token in tokens.items() if token is not None}


def load_tokenizer(
    folder: Path, name: str, end_token_ids: Sequence[int], *, architecture: str = "", blindness: Blindness = BLIND
) -> MlxTokenizer:
    """Read the tokenizer of the model in `folder`, never a model's code. Raises Corrupt when it cannot be read."""
    wrapper = load_wrapper(folder, name, end_token_ids)
    return MlxTokenizer(wrapper, name, architecture=architecture, blindness=blindness)


def load_wrapper(folder: Path, name: str, end_token_ids: Sequence[int]) -> Any:
    """mlx-lm's TokenizerWrapper. Raises Corrupt."""
    try:
        return read_tokenizer(folder, end_token_ids)
    except Exception as error:  # the tokenizer libraries raise bare Exceptions for a broken file
        raise Corrupt(
            f"The tokenizer of `{name}` cannot be read: {(str(error).splitlines() or ['it is broken'])[0][:200]}",
            hint=_HINT,
        ) from error
