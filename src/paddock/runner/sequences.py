"""What the executor knows of each sequence between steps: how it samples, and what it has said so far."""

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from paddock.engine.step import Row
from paddock.errors import UsageError
from paddock.runner.choosing import Wish, needs_history
from paddock.runner.executor import Constraint
from paddock.vocabulary import Sampling


@dataclass(slots=True)
class Running:
    """One sequence."""

    sampling: Sampling
    seed: int
    # Kept only for those whose penalties need it.
    seen: Counter[int] = field(default_factory=Counter[int])
    written: Counter[int] = field(default_factory=Counter[int])
    constraint: Constraint | None = None

    def without_misfits(self, row: Row) -> Row:
        """`row` without the guesses that its constraint would not let come: they need not be verified."""
        if self.constraint is None or not row.drafted:
            return row
        misfits = row.drafted - self.constraint.fitting(row.tokens[-row.drafted :])
        if not misfits:
            return row
        return replace(row, tokens=row.tokens[:-misfits], drafted=row.drafted - misfits)

    def wishes(self, position: int, guesses: Sequence[int]) -> list[Wish]:
        """How to choose the token at `position` and those that follow, supposing that the guesses are right."""
        seen, written = self.seen, self.written
        wishes = [self._wish(position, seen, written)]
        for offset, guess in enumerate(guesses, start=1):
            if needs_history(self.sampling):
                seen, written = seen + Counter([guess]), written + Counter([guess])
            wishes.append(self._wish(position + offset, seen, written))
        return wishes

    def wrote(self, tokens: Sequence[int]) -> None:
        if needs_history(self.sampling):
            self.seen.update(tokens)
            self.written.update(tokens)
        if self.constraint is not None:
            self.constraint.take(tokens)

    def _wish(self, position: int, seen: Counter[int], written: Counter[int]) -> Wish:
        return Wish(sampling=self.sampling, seed=self.seed, position=position, seen=seen, written=written)


def begin_sequence(
    sequence_id: str, tokens: Sequence[int], sampling: Sampling, *, prompt_tokens: int | None, vocabulary: int
) -> Running:
    """Raises UsageError for a token that the model does not have: the device would read, or write, beside its arrays."""
    for what, ids in (("prompt", tokens), ("logit_bias", sampling.logit_bias)):
        strange = next((token for token in ids if not 0 <= token < vocabulary), None)
        if strange is not None:
            raise UsageError(
                f"Request `{sequence_id}` has token {strange} in its {what}; the model's tokens are 0 to {vocabulary - 1}.",
                hint="Use ids of this model's own tokenizer.",
            )
    # Without a seed the answer is anybody's guess, so another one after preemption is as good.
    seed = sampling.seed if sampling.seed is not None else secrets.randbits(64)
    running = Running(sampling, seed)
    if needs_history(sampling):
        running.seen.update(tokens)
        running.written.update(tokens[prompt_tokens if prompt_tokens is not None else len(tokens) :])
    return running
