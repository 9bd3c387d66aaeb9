"""Keys and values of one layer where the CPU works on them: the slabs of slabs.py, written in place.

On a device an array is a value, and writing makes another; here nobody else holds a slab, and its memory is ours.
"""

from itertools import pairwise

import mlx.core as mx
import numpy as np

from paddock.runner.mlx.cores import Floats
from paddock.runner.mlx.host import look
from paddock.runner.mlx.packing import Ints
from paddock.runner.mlx.seam import evaluate
from paddock.runner.mlx.slabs import Shape


class HostSlabs:
    """A pool of blocks of one shape, float32. The memory is MLX's, so that it is counted with all the rest."""

    def __init__(self, shape: Shape, *, block_tokens: int, slab_blocks: int) -> None:
        self._shape = (shape.heads, slab_blocks * block_tokens, shape.head_size)
        self._arrays: dict[int, mx.array] = {}
        self._looks: dict[int, Floats] = {}
        self.slab_blocks = slab_blocks
        self.block_tokens = block_tokens
        self.heads = shape.heads
        self.head_size = shape.head_size

    def slab(self, number: int) -> Floats:
        """[heads, blocks × tokens of a block, head size]: what lies in blocks side by side is one piece a head."""
        found = self._looks.get(number)
        if found is None:
            array = self._arrays[number] = mx.zeros(self._shape, mx.float32)
            evaluate(array)
            found = self._looks[number] = look(array)
        return found

    def write(self, number: int, blocks: Ints, places: Ints, values: Floats, heads: slice = slice(None)) -> None:
        """`values` [tokens, heads, head size] into some places of some blocks; perhaps of some heads only."""
        self.slab(number)[heads, blocks * self.block_tokens + places] = values.swapaxes(0, 1)

    def together(self, table: Ints) -> Floats:
        """The blocks of one sequence, one behind the other: [heads, tokens, head size]. A look where they lie like that."""
        size = self.block_tokens
        slabs, within = table // self.slab_blocks, table % self.slab_blocks
        cuts = np.flatnonzero((np.diff(within) != 1) | (np.diff(slabs) != 0)) + 1
        runs = [
            self.slab(int(slabs[begin]))[:, int(within[begin]) * size : (int(within[begin]) + end - begin) * size]
            for begin, end in pairwise([0, *cuts.tolist(), len(table)])
        ]
        return runs[0] if len(runs) == 1 else np.concatenate(runs, axis=1)

    def copy(self, source: int, target: int) -> None:
        self._block(target)[:] = self._block(source)

    def clear(self, block: int) -> None:
        self._block(block)[:] = 0

    def take_touched(self) -> list[mx.array]:
        """Nothing is left to be evaluated."""
        return []

    @property
    def bytes(self) -> int:
        return sum(array.nbytes for array in self._arrays.values())

    def _block(self, block: int) -> Floats:
        place = block % self.slab_blocks * self.block_tokens
        return self.slab(block // self.slab_blocks)[:, place : place + self.block_tokens]
