"""What single tokens say. Byte-level tokenizers write a byte as a letter, others as `<0x0A>`; many write a blank as `▁`."""

import re
from typing import Any, Final

_BYTE: Final = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_BLANK: Final = "▁"


class Spelling:
    """The bytes of a tokenizer's tokens. Each is worked out once."""

    def __init__(self, wrapper: Any) -> None:
        """`wrapper` is mlx-lm's TokenizerWrapper."""
        self._wrapper = wrapper
        self._known: dict[int, bytes] = {}
        self._added: frozenset[int] | None = None
        self._letters: dict[str, int] = {}

    def bytes_of(self, token: int) -> bytes:
        """Empty for a token that has no text."""
        known = self._known.get(token)
        if known is None:
            known = self._known[token] = self._work_out(token)
        return known

    def _work_out(self, token: int) -> bytes:
        if self._added is None:
            self._added = frozenset(map(int, getattr(self._wrapper, "added_tokens_decoder", {})))
            backend = getattr(self._wrapper, "backend_tokenizer", None)
            self._letters = _byte_letters() if "ByteLevel" in str(getattr(backend, "decoder", "")) else {}
        piece = self._wrapper.convert_ids_to_tokens(token)
        if isinstance(piece, bytes):  # tokenizers of tiktoken's kind
            return piece
        if not isinstance(piece, str):  # a row of the embedding that no token has
            return b""
        if token in self._added:
            return piece.encode()
        if (byte := _BYTE.fullmatch(piece)) is not None:
            return bytes((int(byte[1], 16),))
        if self._letters and all(letter in self._letters for letter in piece):
            return bytes(self._letters[letter] for letter in piece)
        return piece.replace(_BLANK, " ").encode()


def _byte_letters() -> dict[str, int]:
    """GPT-2's alphabet, which byte-level tokenizers share: bytes that print stand for themselves, others follow from 256."""
    printing = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printing]
    return {chr(byte): byte for byte in printing} | {chr(256 + number): byte for number, byte in enumerate(others)}
