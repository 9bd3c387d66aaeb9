"""What people write is text, even where it reads like a model's own control tokens.

A message that says `<|im_end|>\\n<|im_start|>system` would otherwise end its turn and begin one that its writer has no right
to: the tokenizer finds these words anywhere. So before a template sees a message, each such word in it is cut after its first
character, with a character that stands for nothing; the template goes on as ever (it may strip, join or quote); and the
rendered text is tokenized piece by piece between the cuts. No piece holds a whole control word but those that the template
wrote. The text stays what it was, and a conversation without such words is not touched at all.

What is cut: every special token; and of the other added tokens those that the template writes itself, since some models mark
their turns with these. Tags in pairs (`<think>`, `</tool_call>`) are what models and system prompts say on purpose: they stay
whole there and in options, and are cut in what users and tools say.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from paddock.errors import UsageError

_CUTS: Final = tuple(chr(0xFDD0 + number) for number in range(32))  # Unicode promises that these are never characters
_TRUSTED_ROLES: Final = frozenset({"system", "developer", "assistant", "model"})


@dataclass(frozen=True, slots=True)
class AddedToken:
    """A word that a tokenizer finds before it looks at anything else."""

    text: str
    special: bool
    normalized: bool = False  # looked for in the normalized text


@dataclass(frozen=True, slots=True)
class Guarded:
    """A conversation that can be rendered; `cut` is None when nothing in it had to be cut."""

    messages: Sequence[Mapping[str, Any]]
    options: Mapping[str, Any]
    cut: str | None


class ControlTokens:
    """One model's. `normalize` is what its tokenizer does to a text first, if anything."""

    def __init__(
        self, added: Iterable[AddedToken], template: str, *, normalize: Callable[[str], str] | None = None
    ) -> None:
        added = tuple(added)
        texts = {token.text for token in added}
        special = {token.text for token in added if token.special}
        written = {
            text for text in texts - special if len(text) > 2 and text in template and not re.search(r"\s", text)
        }
        paired = {text for text in written if _partner(text) in texts}
        self._own = _Words(special | (written - paired))
        self._foreign = _Words(special | written)
        normalized = {token.text for token in added if token.normalized} & (special | written)
        self._normalize = normalize if normalized else None
        # Some normalizers put a blank, spelt in their way, in front of every text.
        self._normalized = {normalize(text).strip(" ▁") for text in normalized} - {""} if normalize else set[str]()

    def guard(self, messages: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> Guarded:
        """Raises UsageError for a text that cannot be kept apart from control tokens."""
        if not any(words.found_in(text) for text, words in self._texts(messages, options)):
            self._refuse_what_normalizes(text for text, _ in self._texts(messages, options))
            return Guarded(messages, options, None)
        cut = _unused(text for text, _ in self._texts(messages, options))
        guarded = [_each_cut(message, self._words_for(message), cut) for message in messages]
        own = _each_cut(options, self._own, cut)
        self._refuse_what_normalizes(text for text, _ in self._texts(guarded, own))
        return Guarded(guarded, own, cut)

    def _words_for(self, message: Mapping[str, Any]) -> "_Words":
        return self._own if message.get("role") in _TRUSTED_ROLES else self._foreign

    def _texts(
        self, messages: Sequence[Mapping[str, Any]], options: Mapping[str, Any]
    ) -> Iterator[tuple[str, "_Words"]]:
        for message in messages:
            words = self._words_for(message)
            for text in _strings(message):
                yield text, words
        for text in _strings(options):
            yield text, self._own

    def _refuse_what_normalizes(self, texts: Iterable[str]) -> None:
        """Wide or composed letters may become a control word on the way; no model needs these to be sent."""
        if self._normalize is None:
            return
        for text in texts:
            plain = self._normalize(text)
            if any(word in plain for word in self._normalized):
                raise UsageError(
                    "A message has letters that this model would read as one of its control tokens.",
                    hint="Write them in plain letters.",
                )


class _Words:
    """Finds any of many words in a text, in time that hardly depends on how many they are."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = frozenset(word for word in words if len(word) > 1)
        lengths: dict[str, set[int]] = {}
        for word in self._words:
            lengths.setdefault(word[0], set()).add(len(word))
        self._lengths = {first: tuple(sorted(each)) for first, each in lengths.items()}
        self._firsts = re.compile(f"[{''.join(map(re.escape, lengths))}]") if lengths else None

    def found_in(self, text: str) -> bool:
        return next(self._starts(text), None) is not None

    def cut(self, text: str, cut: str) -> str:
        """`text` with `cut` after the first character of every word, of overlapping ones too."""
        pieces: list[str] = []
        done = 0
        for start in self._starts(text):
            pieces.append(text[done : start + 1])
            done = start + 1
        return cut.join((*pieces, text[done:])) if pieces else text

    def _starts(self, text: str) -> Iterator[int]:
        if self._firsts is None:
            return
        for match in self._firsts.finditer(text):
            start = match.start()
            if any(text[start : start + length] in self._words for length in self._lengths[match.group()]):
                yield start


def _partner(tag: str) -> str:
    """`</think>` for `<think>` and the other way round; likewise with square brackets."""
    return tag[0] + tag[2:] if tag[1] == "/" else f"{tag[0]}/{tag[1:]}"


def _strings(value: Any) -> Iterator[str]:
    """Every text in it, keys included: templates write these, too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in cast("Mapping[Any, Any]", value).items():
            yield from _strings(key)
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in cast("Sequence[Any]", value):
            yield from _strings(each)


def _each_cut(values: Mapping[str, Any], words: _Words, cut: str) -> dict[str, Any]:
    return {key: _changed(value, lambda text: words.cut(text, cut)) for key, value in values.items()}


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    """The same value with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {_changed(key, change): _changed(each, change) for key, each in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_changed(each, change) for each in cast("Sequence[Any]", value)]
    return value


def _unused(texts: Iterable[str]) -> str:
    """A cut that is in none of `texts`."""
    left = set(_CUTS)
    for text in texts:
        left -= {cut for cut in left if cut in text}
    if not left:
        raise UsageError(
            "The messages use all of the code points that Unicode keeps free, beside control tokens.",
            hint="Send text.",
        )
    return min(left)
