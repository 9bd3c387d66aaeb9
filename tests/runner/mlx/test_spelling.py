"""What single tokens say, put together, is what all of them say: clients join `bytes` of log-probabilities to a text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.app import BUILTIN_MODELS
from paddock.runner.mlx.spelling import Spelling
from paddock.runner.mlx.tokenizer import MlxTokenizer, load_tokenizer

PONY = load_tokenizer(BUILTIN_MODELS / "pony", "pony", [2])


class Pieces:
    """A tokenizer of another kind, as far as spelling asks for it."""

    added_tokens_decoder = {4: "<｜end▁of▁text｜>"}  # noqa: RUF012

    def convert_ids_to_tokens(self, token: int) -> Any:
        return {1: "▁horse", 2: "<0xF0>", 3: "s", 4: "<｜end▁of▁text｜>", 5: b"\xf0\x9f"}.get(token)


@given(st.text(min_size=1, max_size=60))
def test_the_bytes_of_tokens_join_to_the_text(text: str) -> None:
    tokenizer: MlxTokenizer = PONY
    assert b"".join(map(tokenizer.token_bytes, tokenizer.encode(text))).decode() == text


@pytest.mark.parametrize(
    ("token", "said"),
    [(1, b" horse"), (2, b"\xf0"), (3, b"s"), (4, "<｜end▁of▁text｜>".encode()), (5, b"\xf0\x9f"), (6, b"")],
)
def test_other_kinds_of_tokenizers_are_read_too(token: int, said: bytes) -> None:
    """Blanks written as `▁`, bytes as `<0xF0>`, special tokens as they stand, and numbers that are no token."""
    assert Spelling(Pieces()).bytes_of(token) == said
