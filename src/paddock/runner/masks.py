"""Which tokens may come next in answers that are held to a form: worked out in other threads while the model computes."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from paddock.runner.executor import Constraint

Truths: TypeAlias = npt.NDArray[np.bool_]
Asked: TypeAlias = tuple[Constraint | None, Sequence[int]]  # of one row: what holds it, and its guesses

_THREADS: Final = 4  # a step's masks are parted among so many; llguidance lets go of Python's lock
_ROWS_A_THREAD: Final = 4  # fewer are not worth a thread of their own


class StepMasks:
    """Those of one step, on the way."""

    def __init__(self, allowed: Truths, parts: Sequence[Future[None]]) -> None:
        self._allowed = allowed
        self._parts = parts

    def finish(self) -> Truths:
        """[positions, vocabulary]: each row's next token, then one for each of its guesses."""
        for part in self._parts:
            part.result()
        return self._allowed


class MaskMaker:
    """Has threads only once somebody needs them."""

    def __init__(self, vocabulary: int) -> None:
        self._vocabulary = vocabulary
        self._threads: ThreadPoolExecutor | None = None

    def begin(self, rows: Sequence[Asked]) -> StepMasks | None:
        """Masks for the rows of a step that sample. None when nothing holds any of them."""
        held: list[tuple[int, Constraint, Sequence[int]]] = []
        position = 0
        for constraint, guesses in rows:
            if constraint is not None:
                held.append((position, constraint, guesses))
            position += 1 + len(guesses)
        if not held:
            return None
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="masks")
        allowed: Truths = np.ones((position, self._vocabulary), dtype=np.bool_)
        shares = min(_THREADS, -(-len(held) // _ROWS_A_THREAD))
        parts = [self._threads.submit(self._fill, allowed, held[share::shares]) for share in range(shares)]
        return StepMasks(allowed, parts)

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=True)
            self._threads = None

    def _fill(self, allowed: Truths, held: Sequence[tuple[int, Constraint, Sequence[int]]]) -> None:
        for position, constraint, guesses in held:
            for offset, mask in enumerate(constraint.masks(guesses)):
                bits = np.frombuffer(mask, dtype=np.uint8)
                allowed[position + offset] = np.unpackbits(bits, bitorder="little", count=self._vocabulary).view(
                    np.bool_
                )
