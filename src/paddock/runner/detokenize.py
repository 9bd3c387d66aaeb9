"""Tokens to text as they come: whole characters only, and nothing of a stop string."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

_REPLACEMENT: Final = "\ufffd"
_CONTEXT_TOKENS: Final = 5  # of the prompt: some tokenizers drop the blank in front of a text's first word
_UNFINISHED_TOKENS_MAX: Final = 8  # a character is four bytes at most; more is no character but garbage


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    stop: str | None = None  # the stop string that came; it and what follows it are not in `text`

    @property
    def stopped(self) -> bool:
        return self.stop is not None


class Detokenizer:
    """The text of one answer, token by token.

        … prefix … │ read … │ new
           decoded twice: without and with the new tokens; the difference is what they say

    The prefix is there because what a token says can depend on the one before it (blanks, accents, bytes of one character).
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], prompt: Sequence[int], stop: Sequence[str]) -> None:
        self._decode = decode
        self._tokens = list(prompt[-_CONTEXT_TOKENS:])
        self._prefix_start = 0
        self._read = len(self._tokens)
        self._stop = StopStrings(stop)

    def feed(self, token: int) -> Piece:
        """What can be said after `token`. Raises nothing that `decode` does not raise."""
        self._tokens.append(token)
        return self._stop.feed(self._new_text(last=False))

    def finish(self) -> Piece:
        """What was held back, once no more tokens come."""
        piece = self._stop.feed(self._new_text(last=True))
        return piece if piece.stopped else Piece(piece.text + self._stop.rest())

    def _new_text(self, *, last: bool) -> str:
        before = self._decode(self._tokens[self._prefix_start : self._read])
        after = self._decode(self._tokens[self._prefix_start :])
        unfinished = after.endswith(_REPLACEMENT) or len(after) <= len(before)
        if unfinished and not last and len(self._tokens) - self._read < _UNFINISHED_TOKENS_MAX:
            return ""
        del self._tokens[: self._prefix_start]
        self._prefix_start = self._read - self._prefix_start
        self._read = len(self._tokens)
        return after[len(before) :]


class StopStrings:
    """Looks for stop strings in a text that comes in pieces, and holds back what could be the beginning of one."""

    def __init__(self, strings: Sequence[str]) -> None:
        self._strings: tuple[str, ...] = tuple(string for string in strings if string)
        self._held: str = ""

    def feed(self, text: str) -> Piece:
        if not self._strings:
            return Piece(text)
        text = self._held + text
        found = [(at, string) for string in self._strings if (at := text.find(string)) >= 0]
        if found:
            self._held = ""
            at, string = min(found, key=lambda each: each[0])
            return Piece(text[:at], stop=string)
        held: int = max(_overlap(text, string) for string in self._strings)
        self._held = text[len(text) - held :]
        return Piece(text[: len(text) - held])

    def rest(self) -> str:
        """What was held back for nothing."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, string: str) -> int:
    """How many characters at the end of `text` could be the beginning of `string`."""
    for length in range(min(len(text), len(string) - 1), 0, -1):
        if text.endswith(string[:length]):
            return length
    return 0
