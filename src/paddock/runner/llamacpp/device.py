"""What llama.cpp computes on, and how much of its memory is in use."""

import ctypes
from dataclasses import dataclass
from typing import Final

import psutil

from paddock.runner.llamacpp.seam import library
from paddock.runner.usage import process_peak_bytes

_KINDS: Final = {0: "cpu", 1: "gpu", 2: "gpu", 3: "accelerator"}  # ggml's device types; 2 shares the host's memory
_NAMES: Final = (("cuda", "cuda"), ("metal", "metal"), ("mtl", "metal"), ("vulkan", "vulkan"), ("rocm", "rocm"))


@dataclass(slots=True)
class Device:
    """The first that is no CPU, else the CPU. On a CPU memory is the process's, elsewhere what is gone of the device's."""

    name: str
    handle: int | None
    total_bytes: int
    free_bytes: int  # before anything of ours was there
    _peak_bytes: int = 0

    @property
    def is_cpu(self) -> bool:
        return self.handle is None

    def active_bytes(self) -> int:
        if self.handle is None:
            return int(psutil.Process().memory_info().rss)
        now = max(0, self.free_bytes - _memory(self.handle)[0])
        self._peak_bytes = max(self._peak_bytes, now)
        return now

    def peak_bytes(self) -> int:
        return process_peak_bytes() if self.handle is None else max(self._peak_bytes, self.active_bytes())


def find_device() -> Device:
    """Where the next model goes."""
    c = library()
    for number in range(c.ggml_backend_dev_count()):
        handle: int = c.ggml_backend_dev_get(number)
        if _KINDS.get(c.ggml_backend_dev_type(handle)) == "gpu":
            free, total = _memory(handle)
            told: str = c.ggml_backend_dev_name(handle).decode("utf-8", "replace").lower()
            name = next((name for mark, name in _NAMES if mark in told), told)
            return Device(name, handle, total, free)
    memory = psutil.virtual_memory()
    return Device("cpu", None, memory.total, memory.available)


def _memory(handle: int) -> tuple[int, int]:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    library().ggml_backend_dev_memory(handle, ctypes.byref(free), ctypes.byref(total))
    return free.value, total.value
