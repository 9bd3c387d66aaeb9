"""A model's vocabulary, through llama.cpp."""

import ctypes
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from paddock.errors import UsageError
from paddock.runner.llamacpp.seam import library

_CONTROL: Final = 1 << 3  # llama_token_attr
_USER_DEFINED: Final = 1 << 4
_PIECE_BYTES: Final = 256
_SPECIAL: Final = ("bos", "eos", "sep", "pad", "mask")


class Words:
    """Tokens by number and by text. Belongs to one thread."""

    def __init__(self, vocabulary: int) -> None:
        self._c: Any = library()
        self._vocabulary = vocabulary
        self._buffer = ctypes.create_string_buffer(_PIECE_BYTES)
        self._known: dict[int, bytes] = {}

    @cached_property
    def count(self) -> int:
        return int(self._c.llama_vocab_n_tokens(self._vocabulary))

    @cached_property
    def added(self) -> Mapping[str, tuple[int, bool]]:
        """Words that are found before anything else is looked at: their number, and whether they are control tokens."""
        found: dict[str, tuple[int, bool]] = {}
        for token in range(self.count):
            kind: int = self._c.llama_vocab_get_attr(self._vocabulary, token)
            if kind & (_CONTROL | _USER_DEFINED):
                found[self.bytes_of(token).decode("utf-8", "replace")] = token, bool(kind & _CONTROL)
        return found

    @cached_property
    def ends(self) -> frozenset[int]:
        """Tokens that end an answer, as the file says and llama.cpp knows by their text."""
        return frozenset(token for token in range(self.count) if self._c.llama_vocab_is_eog(self._vocabulary, token))

    @cached_property
    def named(self) -> Mapping[str, int]:
        """The special tokens that templates know by name: `bos`, `eos`, …"""
        numbers = {name: int(getattr(self._c, f"llama_vocab_{name}")(self._vocabulary)) for name in _SPECIAL}
        return {name: number for name, number in numbers.items() if 0 <= number < self.count}

    @cached_property
    def start(self) -> int | None:
        """The token that stands in front of every text, when there is one."""
        return self.named.get("bos") if self._c.llama_vocab_get_add_bos(self._vocabulary) else None

    def bytes_of(self, token: int) -> bytes:
        """What it says, in UTF-8; of a token that is a part of a character, that part. Control tokens say their name."""
        known = self._known.get(token)
        if known is None:
            known = self._known[token] = self._piece(token)
        return known

    def split(self, text: str, *, whole: bool) -> list[int]:
        """The tokens of `text`; `whole`: with whatever the model wants around a text. Raises UsageError.

        Control tokens in it are meant.
        """
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        while True:
            tokens = (ctypes.c_int32 * room)()
            count: int = self._c.llama_tokenize(self._vocabulary, data, len(data), tokens, room, whole, True)
            if 0 <= count <= room:
                return tokens[:count]
            if count >= 0 or -count <= room:
                raise UsageError("The text cannot be taken apart into tokens.", hint="Send a shorter text.")
            room = -count

    def join(self, tokens: Sequence[int]) -> str:
        """A character that is not whole yet comes out as U+FFFD."""
        return b"".join(map(self.bytes_of, tokens)).decode("utf-8", "replace")

    def _piece(self, token: int) -> bytes:
        if not 0 <= token < self.count:
            return b""
        length: int = self._c.llama_token_to_piece(self._vocabulary, token, self._buffer, len(self._buffer), 0, True)
        if length < 0:
            self._buffer = ctypes.create_string_buffer(-length)
            length = self._c.llama_token_to_piece(self._vocabulary, token, self._buffer, -length, 0, True)
        return self._buffer.raw[: max(length, 0)]
