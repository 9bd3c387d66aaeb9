"""The solo lane: mlx-lm's own cache for each sequence, one sequence at a time. Right for every architecture."""

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from paddock.engine.step import Row
from paddock.runner.mlx.backbone import RowSelection
from paddock.runner.mlx.seam import evaluate, layer_caches
from paddock.runner.mlx.vision.column import Pictures


class SoloLane:
    """Recurrent, rotating and hybrid caches as mlx-lm made them; they cannot be shared, and not be wound back either."""

    def __init__(self, model: Any, selection: RowSelection, pictures: Pictures | None = None) -> None:
        """`pictures`: of a model that sees."""
        self._model = model
        self._pictures = pictures
        self._selection = selection
        self._caches: dict[str, list[Any]] = {}
        self._fed: dict[str, int] = {}

    def end(self, sequence_id: str) -> None:
        self._caches.pop(sequence_id, None)
        self._fed.pop(sequence_id, None)

    def taint(self, blocks: Sequence[int]) -> None:
        """Each sequence has a cache of its own: nobody else reads what is in it."""

    def forward(self, rows: Sequence[Row], copies: Sequence[tuple[int, int]]) -> mx.array | None:
        assert not copies, "the solo lane has no blocks"
        logits = [part for row in rows if (part := self._feed(row)) is not None]
        return mx.concatenate(logits) if logits else None

    def settle(self) -> None:
        evaluate([cache.state for caches in self._caches.values() for cache in caches])

    @property
    def bytes(self) -> int:
        return sum(cache.nbytes for caches in self._caches.values() for cache in caches if not cache.empty())

    def _feed(self, row: Row) -> mx.array | None:
        assert row.drafted == 0, "a guess that is wrong could not be taken back out of these caches"
        if row.start == 0:
            self._caches[row.sequence_id] = layer_caches(self._model)
            self._fed[row.sequence_id] = 0
        fed = self._fed.get(row.sequence_id)
        assert fed == row.start, f"{row.sequence_id} has been fed {fed} tokens and goes on at {row.start}"
        self._fed[row.sequence_id] = row.end
        wanted = [len(row.tokens) - 1] if row.samples else []
        tokens, more = mx.array([row.tokens]), {}
        if self._pictures is not None:
            positions = np.arange(row.start, row.end, dtype=np.int32)
            more = self._pictures.arguments(tokens, self._pictures.column([row], positions))
        return self._selection.logits(tokens, self._caches[row.sequence_id], wanted, axis=1, **more)
