"""What a CPU does faster outside MLX: exponentials, and many small products side by side.

MLX computes an operation on one thread, and on x86 an exponential one number at a time: a third of a prompt's time went into
activations. NumPy has vector instructions for it, and lets go of Python's lock while it works, so the cores share the work.
Arrays cross without being copied: MLX evaluates them, NumPy looks at the same memory. What goes back is copied once.

Only a step of the paged lane works this way (`working`); model code in anybody else's hands is left as it is.
"""

import ctypes
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from threading import local
from typing import Final, TypeAlias, cast

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from paddock.runner.mlx.blas import physical_cores
from paddock.runner.mlx.seam import evaluate

Floats: TypeAlias = npt.NDArray[np.float32]
Task: TypeAlias = Callable[[], None]

_PIECE: Final = 16_384  # numbers worked on at a time: they stay in the nearest cache
_ALONE_MAX: Final = 65_536  # below so many numbers a second thread costs more than it brings

CORES: Final = physical_cores()
_OTHERS: Final = ThreadPoolExecutor(max(1, CORES - 1), thread_name_prefix="host")
_here: Final = local()


class NumpyBlas:
    """The BLAS that NumPy's wheels bring with them. A NumPy that was built otherwise has another, or none."""

    def __init__(self, folder: Path) -> None:
        self._setters: list[Callable[[ctypes.c_int], object]] = []
        for path in folder.glob("libscipy_openblas*"):
            library = ctypes.CDLL(str(path))
            for symbol in ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads"):
                function = getattr(library, symbol, None)
                if function is not None:
                    self._setters.append(function)

    @property
    def found(self) -> bool:
        return self._setters != []

    def set_threads(self, count: int) -> None:
        """How many threads a product takes from now on, in the whole process."""
        for function in self._setters:
            function(ctypes.c_int(count))


PRODUCTS: Final = NumpyBlas(Path(np.__file__).parents[1] / "numpy.libs")
PRODUCTS.set_threads(CORES)


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


def side_by_side(tasks: Sequence[Task]) -> None:
    """Run all of them, on all cores, and return when the last is done. They must not depend on each other.

    Each keeps to one thread, products too: those that are made elsewhere share all cores.
    """
    if len(tasks) == 1 or CORES == 1:
        for task in tasks:
            task()
        return
    rest = iter(tasks)

    def work() -> None:
        # `next` on a list's iterator is one step of the interpreter: no two threads get the same task.
        with np.errstate(all="ignore"):
            for task in rest:
                task()

    PRODUCTS.set_threads(1)
    try:
        helpers = [_OTHERS.submit(work) for _ in range(min(len(tasks), CORES) - 1)]
        work()
        for helper in helpers:
            helper.result()
    finally:
        PRODUCTS.set_threads(CORES)


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
