"""All cores at once for what is computed in NumPy: it lets go of Python's lock while it works. Knows nothing of MLX."""

import ctypes
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from paddock.runner.mlx.blas import physical_cores

Floats: TypeAlias = npt.NDArray[np.float32]
Task: TypeAlias = Callable[[], None]

CORES: Final = physical_cores()
_OTHERS: Final = ThreadPoolExecutor(max(1, CORES - 1), thread_name_prefix="host")


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
