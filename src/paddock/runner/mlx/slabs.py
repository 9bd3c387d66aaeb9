"""Keys and values of one layer, in blocks, in slabs of about 2 MB.

MLX arrays are values: writing into one makes another, in place only when nobody else holds the old one. While a step is in
flight somebody does, and the whole array is copied; a slab bounds what that costs. Slabs are made when their first block is
written, so a pool takes the memory that it uses.

    slab [blocks, heads, tokens of a block, head size]       a head's part of a block is one matrix without gaps
"""

# MLX's stubs leave the shapes of `reshape` and `transpose` untyped.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from dataclasses import dataclass
from typing import Final

import mlx.core as mx
import numpy as np

from paddock.runner.mlx.packing import Ints

SLAB_BYTES: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Shape:
    """Of one layer's keys or values."""

    heads: int
    head_size: int
    dtype: mx.Dtype

    def bytes(self, tokens: int) -> int:
        return self.heads * self.head_size * tokens * self.dtype.size


class Slabs:
    """A pool of blocks of one shape."""

    def __init__(self, shape: Shape, *, block_tokens: int, slab_blocks: int) -> None:
        self._shape = (slab_blocks, shape.heads, block_tokens, shape.head_size)
        self._dtype = shape.dtype
        self._slabs: dict[int, mx.array] = {}
        self._touched: set[int] = set()
        self.slab_blocks = slab_blocks
        self.block_tokens = block_tokens
        self.heads = shape.heads

    def write(self, slab: int, blocks: mx.array, places: mx.array, values: mx.array) -> None:
        """`values` [tokens, heads, head size] into some places of some blocks."""
        array = self._slab(slab)
        array[blocks, :, places] = values.astype(self._dtype)
        self._put(slab, array)

    def read(self, slab: int, blocks: mx.array | slice) -> mx.array:
        """[blocks, heads, tokens, head size]; a slice is a view, other choices are copied."""
        return self._slab(slab)[blocks]

    def together(self, table: Ints) -> mx.array:
        """The blocks of one sequence, one behind the other: [1, heads, tokens, head size]."""
        cuts = np.flatnonzero(np.diff(table // self.slab_blocks)) + 1
        parts = [
            self.read(int(run[0]) // self.slab_blocks, _as_index(run % self.slab_blocks))
            for run in np.split(table, cuts)
        ]
        joined = parts[0] if len(parts) == 1 else mx.concatenate(parts)
        blocks, heads, tokens, size = joined.shape
        return joined.transpose(1, 0, 2, 3).reshape(1, heads, blocks * tokens, size)

    def copy(self, source: int, target: int) -> None:
        value = self._slab(source // self.slab_blocks)[source % self.slab_blocks]
        self._set(target, value)

    def clear(self, block: int) -> None:
        self._set(block, mx.zeros(self._shape[1:], self._dtype))

    def take_touched(self) -> list[mx.array]:
        """The slabs written since the last call, to be evaluated."""
        touched = [self._slabs[slab] for slab in self._touched]
        self._touched.clear()
        return touched

    @property
    def bytes(self) -> int:
        return sum(array.nbytes for array in self._slabs.values())

    def _set(self, block: int, value: mx.array) -> None:
        slab = block // self.slab_blocks
        array = self._slab(slab)
        array[block % self.slab_blocks] = value
        self._put(slab, array)

    def _slab(self, slab: int) -> mx.array:
        array = self._slabs.get(slab)
        if array is None:
            array = self._slabs[slab] = mx.zeros(self._shape, self._dtype)
        return array

    def _put(self, slab: int, array: mx.array) -> None:
        self._slabs[slab] = array
        self._touched.add(slab)


def _as_index(blocks: Ints) -> mx.array | slice:
    first = int(blocks[0])
    if (blocks == np.arange(first, first + len(blocks))).all():
        return slice(first, first + len(blocks))
    return mx.array(blocks)
