"""Log-probabilities as OpenAI shows them: tokens as text and bytes, and in the older shape with their places in the text."""

import codecs
from collections.abc import Sequence
from typing import Final

from paddock.dialects.openai_wire import ChoiceLogprobs, TextLogprobs, TokenLogprobs, TopLogprob
from paddock.vocabulary import TokenLogprob

_LEAST: Final = -9999.0  # OpenAI's word for "very unlikely": JSON has no infinity

Entries = Sequence[tuple[TokenLogprob, ...]]


def chat_logprobs(entries: Entries) -> ChoiceLogprobs:
    """For each token what was chosen, and what else was likely."""
    return ChoiceLogprobs(
        content=[
            TokenLogprobs(
                token=token_text(chosen.token),
                bytes=list(chosen.token),
                logprob=max(chosen.logprob, _LEAST),
                top_logprobs=[
                    TopLogprob(token=token_text(each.token), bytes=list(each.token), logprob=max(each.logprob, _LEAST))
                    for each in likeliest
                ],
            )
            for chosen, *likeliest in entries
        ]
    )


class TextOffsets:
    """Where each token of one answer begins in its text, in characters."""

    def __init__(self, start: int) -> None:
        self._at = start
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def logprobs(self, entries: Entries, wanted: int) -> TextLogprobs:
        """The older shape of the next tokens of the answer."""
        return TextLogprobs(
            tokens=[token_text(entry[0].token) for entry in entries],
            token_logprobs=[max(entry[0].logprob, _LEAST) for entry in entries],
            top_logprobs=[_by_text(entry) for entry in entries] if wanted else None,
            text_offset=[self._pass(entry[0].token) for entry in entries],
        )

    def _pass(self, token: bytes) -> int:
        at = self._at
        self._at += len(self._decoder.decode(token))
        return at


def mean_logprob(entries: Entries) -> float:
    """By which the best of several answers are told; an empty one is the worst."""
    if not entries:
        return -float("inf")
    return sum(max(entry[0].logprob, _LEAST) for entry in entries) / len(entries)


def token_text(token: bytes) -> str:
    """The token as text; one that is a part of a character is written as its bytes, as OpenAI does."""
    try:
        return token.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token)


def _by_text(entry: tuple[TokenLogprob, ...]) -> dict[str, float]:
    # The chosen token is in the map, whether or not it is among the likeliest.
    return {token_text(each.token): max(each.logprob, _LEAST) for each in reversed(entry)}
