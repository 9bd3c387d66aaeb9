"""The seam to whatever computes vectors. One thread owns an encoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from paddock.runner.executor import LoadedModel, Memory

Floats: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tokens:
    """One input as the model reads it."""

    ids: Sequence[int]
    types: Sequence[int] = ()  # which of two texts each token is of; empty where there is one

    def __len__(self) -> int:
        return len(self.ids)


class Encoder(Protocol):
    """A loaded model. Raises PaddockError for what it can go on after; anything else ends the runner."""

    @property
    def model(self) -> LoadedModel: ...

    @property
    def dimensions(self) -> int:
        """Numbers of a vector; 1 of a reranker: the logit of a pair."""
        ...

    def encode(self, rows: Sequence[Tokens]) -> Floats:
        """[rows, dimensions]: pooled, of whatever length. No row depends on who else is there."""
        ...

    def memory(self) -> Memory: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Padded:
    """Rows of different lengths as rectangles, and what in them is real."""

    ids: npt.NDArray[np.int64]
    mask: npt.NDArray[np.int64]
    types: npt.NDArray[np.int64]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return self.mask.sum(axis=1)


def padded(rows: Sequence[Tokens], pad_id: int) -> Padded:
    """Padding goes behind the tokens: positions and what a token sees before itself stay as they are alone."""
    shape = (len(rows), max(len(row) for row in rows))
    ids = np.full(shape, pad_id, dtype=np.int64)
    mask, types = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row.ids
        mask[number, : len(row)] = 1
        if row.types:
            types[number, : len(row)] = row.types
    return Padded(ids, mask, types)
