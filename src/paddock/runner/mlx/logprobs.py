"""Log-probabilities for those who ask: of the model itself, before temperature, penalties and filters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import mlx.core as mx

from paddock.runner.mlx.seam import table
from paddock.vocabulary import TokenLogprob


@dataclass(slots=True)
class Logprobs:
    """The logits of the rows that want them, and their likeliest tokens."""

    wanted: Sequence[int | None]  # by row: how many of the likeliest; None is not asked for
    rows: list[int]
    normalized: mx.array  # [len(rows), vocabulary]
    likeliest: mx.array | None  # ids, the likeliest first

    @classmethod
    def of(cls, logits: mx.array, wanted: Sequence[int | None]) -> Self | None:
        """None when nobody asked."""
        rows = [row for row, count in enumerate(wanted) if count is not None]
        if not rows:
            return None
        mine = logits if len(rows) == len(wanted) else logits[mx.array(rows)]
        normalized = mine - mx.logsumexp(mine, axis=-1, keepdims=True)
        most = min(max(count or 0 for count in wanted), logits.shape[-1])
        return cls(wanted, rows, normalized, _largest(normalized, most) if most else None)

    @property
    def arrays(self) -> list[mx.array]:
        return [self.normalized] if self.likeliest is None else [self.normalized, self.likeliest]

    def told(self, tokens: Sequence[int]) -> list[tuple[TokenLogprob, ...]]:
        """For each row of the step: its chosen token first, then its likeliest."""
        entries: list[tuple[TokenLogprob, ...]] = [()] * len(self.wanted)
        chosen = mx.array([tokens[row] for row in self.rows])[:, None]
        ids = chosen if self.likeliest is None else mx.concatenate([chosen, self.likeliest], axis=-1)
        values = mx.take_along_axis(self.normalized, ids, axis=-1)
        for row, row_ids, row_values in zip(self.rows, table(ids), table(values), strict=True):
            count = 1 + (self.wanted[row] or 0)
            entries[row] = tuple(
                TokenLogprob(token_id=token, logprob=value)
                for token, value in zip(row_ids[:count], row_values[:count], strict=True)
            )
        return entries


def _largest(values: mx.array, count: int) -> mx.array:
    ids = mx.argpartition(-values, kth=min(count, values.shape[-1]) - 1, axis=-1)[:, :count]
    order = mx.argsort(-mx.take_along_axis(values, ids, axis=-1), axis=-1)
    return mx.take_along_axis(ids, order, axis=-1).astype(mx.int32)
