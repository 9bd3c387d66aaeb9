"""How much memory the device's work has taken, and for what: predictions of the next load rest on it.

On a CPU the memory is that of the process, because that is what the machine loses; its peak is asked of the kernel. Elsewhere
it is that of the device's arrays, which is what a GPU runs out of.
"""

import resource
import sys
from pathlib import Path
from typing import Final

import mlx.core as mx
import psutil

from paddock.engine.step import StepPlan
from paddock.runner.executor import Memory
from paddock.runner.mlx.lane import Lane

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

    def cache(self, lane: Lane) -> None:
        """To be called before a sequence ends: until then nothing in a lane gets smaller."""
        self._kv_bytes = max(self._kv_bytes, lane.bytes)

    def memory(self) -> Memory:
        on_cpu = mx.default_device() == mx.Device(mx.cpu)
        return Memory(
            active_bytes=psutil.Process().memory_info().rss if on_cpu else mx.get_active_memory(),
            peak_bytes=process_peak_bytes() if on_cpu else mx.get_peak_memory(),
            cache_bytes=mx.get_cache_memory(),
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
