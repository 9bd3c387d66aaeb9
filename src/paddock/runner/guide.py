"""One answer that is held to a grammar: what may come next, after what has come."""

from collections.abc import Collection, Sequence
from typing import Final

from llguidance import LLMatcher

_TOO_COMPLEX: Final = "what the answer is held to became too complex at this point"
_NO_TOKEN: Final = "no token of this model goes on with what the answer is held to"  # noqa: S105  (no secret)


class Guide:
    """The runner's Constraint. One thread at a time; which one does not matter."""

    def __init__(self, matcher: LLMatcher, end_token_ids: Collection[int]) -> None:
        self._matcher = matcher
        self._ends = end_token_ids
        self._failure: str | None = None

    @property
    def failure(self) -> str | None:
        """Why the answer cannot go on, if it cannot."""
        return self._failure

    def restart(self, output: Sequence[int]) -> None:
        """The answer so far is `output`: at the beginning, and after preemption."""
        self._matcher.reset()
        self._failure = None
        self.take(output)

    def fitting(self, guesses: Sequence[int]) -> int:
        """How many of the guesses may come, the first ones. An end is not among them: nothing follows it."""
        until_end = next((at for at, guess in enumerate(guesses) if guess in self._ends), len(guesses))
        if not until_end or self._failure is not None:
            return 0
        return self._matcher.validate_tokens(list(guesses[:until_end]))

    def masks(self, guesses: Sequence[int]) -> list[bytes]:
        """One bit a token: what may come next, and what after each guess. The guesses must be fitting."""
        masks = [self._mask()]
        for guess in guesses:
            self._matcher.consume_token(guess)
            masks.append(self._mask())
        if guesses:
            self._matcher.rollback(len(guesses))
        return masks

    def take(self, tokens: Sequence[int]) -> None:
        """These have come. An end changes nothing: it may come where the grammar could end, and nothing is asked after it."""
        words = [token for token in tokens if token not in self._ends]
        if words and self._failure is None and not self._matcher.consume_tokens(words):
            self._failure = _TOO_COMPLEX

    def _mask(self) -> bytes:
        mask = self._matcher.compute_bitmask()
        if self._matcher.is_error():
            self._failure = _TOO_COMPLEX
        elif not any(mask):
            self._failure = _NO_TOKEN
        return mask
