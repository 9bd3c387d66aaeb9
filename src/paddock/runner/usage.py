"""How much memory the device's work has taken, and for what: predictions of the next load rest on it."""

import resource
import sys
from pathlib import Path
from typing import Final

from paddock.engine.step import StepPlan
from paddock.runner.executor import Memory

_STATUS: Final = Path("/proc/self/status")
_PEAK: Final = "VmHWM:"


class WorkNotes:
    """The most that was asked of a model so far."""

    def __init__(self) -> None:
        self._kv_bytes = 0
        self._step_tokens = 0
        self._context = 0
        self._tokens = 0

    def step(self, plan: StepPlan) -> None:
        """This plan was carried out."""
        fed = seen = 0
        for row in plan.rows:
            fed += len(row.tokens)
            seen += row.end
            self._context = max(self._context, row.end)
        self._step_tokens = max(self._step_tokens, fed)
        self._tokens = max(self._tokens, seen)

    def batch(self, *, tokens: int, longest: int) -> None:
        """So many were fed at once, padding included, in rows of at most `longest`; nothing of them is kept."""
        self._step_tokens = max(self._step_tokens, tokens)
        self._context = max(self._context, longest)
        self._tokens = max(self._tokens, tokens)

    def cache(self, kv_bytes: int) -> None:
        """So much is held of keys, values and states now."""
        self._kv_bytes = max(self._kv_bytes, kv_bytes)

    def told(self, *, active_bytes: int, peak_bytes: int, cache_bytes: int = 0) -> Memory:
        """With what the device says of itself."""
        return Memory(
            active_bytes=active_bytes,
            peak_bytes=peak_bytes,
            cache_bytes=cache_bytes,
            kv_bytes_max=self._kv_bytes,
            step_tokens_max=self._step_tokens,
            context_max=self._context,
            tokens_max=self._tokens,
        )


def process_peak_bytes() -> int:
    """The most that this process was resident with.

    Not `getrusage` on Linux: what that tells begins with the peak of the process that started this one.
    """
    if sys.platform == "linux":
        for line in _STATUS.read_text().splitlines():
            if line.startswith(_PEAK):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
