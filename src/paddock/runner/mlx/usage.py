"""What memory MLX's work takes.

On a CPU the memory is that of the process, because that is what the machine loses; its peak is asked of the kernel. Elsewhere
it is that of the device's arrays, which is what a GPU runs out of.
"""

import mlx.core as mx
import psutil

from paddock.runner.executor import Memory
from paddock.runner.usage import WorkNotes, process_peak_bytes


def memory(notes: WorkNotes) -> Memory:
    """Now, and at the most."""
    on_cpu = mx.default_device() == mx.Device(mx.cpu)
    return notes.told(
        active_bytes=psutil.Process().memory_info().rss if on_cpu else mx.get_active_memory(),
        peak_bytes=process_peak_bytes() if on_cpu else mx.get_peak_memory(),
        cache_bytes=mx.get_cache_memory(),
    )
