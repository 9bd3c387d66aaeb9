"""What the vision tower made of one picture."""

from dataclasses import dataclass

import mlx.core as mx


@dataclass(frozen=True, slots=True)
class Features:
    """One picture, as the language part of the model takes it."""

    rows: mx.array  # [places, hidden]: what stands in place of the tokens' embeddings
    deep: tuple[mx.array, ...] = ()  # [places, hidden] each: what is added behind the first layers
    grid: tuple[int, ...] = ()  # frames, rows and columns of patches, where positions depend on them

    @property
    def bytes(self) -> int:
        return sum(array.nbytes for array in (self.rows, *self.deep))
