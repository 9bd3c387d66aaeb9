"""What a CPU does faster outside MLX: exponentials, and many small products side by side.

MLX computes an operation on one thread, and on x86 an exponential one number at a time: a third of a prompt's time went into
activations. NumPy has vector instructions for it, and lets go of Python's lock while it works, so the cores share the work.
Arrays cross without being copied: MLX evaluates them, NumPy looks at the same memory. What goes back is copied once.

Only a step of the paged lane works this way (`working`); model code in anybody else's hands is left as it is.
"""

from collections.abc import Generator
from contextlib import contextmanager
from itertools import pairwise
from threading import local
from typing import Final, cast

import mlx.core as mx
import numpy as np

from paddock.runner.mlx.cores import CORES, Floats, side_by_side
from paddock.runner.mlx.seam import evaluate

_PIECE: Final = 16_384  # numbers worked on at a time: they stay in the nearest cache
_ALONE_MAX: Final = 65_536  # below so many numbers a second thread costs more than it brings

_here: Final = local()


@contextmanager
def working() -> Generator[None]:
    """While this lasts, activations of this thread's model code are computed here."""
    _here.working = True
    try:
        # What is no number, and what is too large, is told from the logits.
        with np.errstate(all="ignore"):
            yield
    finally:
        _here.working = False


def is_working() -> bool:
    return getattr(_here, "working", False)


def look(array: mx.array) -> Floats:
    """The memory of an evaluated float32 array. Whoever writes there must be its only owner."""
    return cast("Floats", np.asarray(array))


def silu_times(gate: mx.array, up: mx.array) -> mx.array:
    """silu(gate) * up."""
    evaluate(gate, up)
    gates, ups = look(gate).reshape(-1), look(up).reshape(-1)
    result = np.empty_like(gates)

    def work(begin: int, end: int) -> None:
        for start in range(begin, end, _PIECE):
            stop = min(start + _PIECE, end)
            part, mine = result[start:stop], gates[start:stop]
            np.negative(mine, out=part)
            np.exp(part, out=part)
            part += 1
            np.divide(mine, part, out=part)
            part *= ups[start:stop]

    size = result.size
    shares = 1 if size <= _ALONE_MAX else CORES
    cuts = [size * share // shares for share in range(shares + 1)]
    side_by_side([lambda begin=begin, end=end: work(begin, end) for begin, end in pairwise(cuts)])
    return mx.array(result.reshape(gate.shape))
