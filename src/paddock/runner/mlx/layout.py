"""How weights lie in memory, and how much of it a model may have."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

import mlx.core as mx
import psutil

from paddock.errors import NotEnoughMemory
from paddock.runner.mlx.folder import ModelFolder
from paddock.units import human_bytes

MEMORY_SHARE: Final = 0.75  # of what the device has, when nobody sets a limit
WORK_BYTES: Final = 64 * 1024 * 1024  # activations of a step and a little KV cache: below this nothing can run


class Layout(Enum):
    """How weights lie in memory."""

    AS_STORED = "as stored"
    BFLOAT16 = "bf16"
    FLOAT32 = "float32"

    @property
    def dtype(self) -> mx.Dtype | None:
        return {Layout.AS_STORED: None, Layout.BFLOAT16: mx.bfloat16, Layout.FLOAT32: mx.float32}[self]


def choose_layout(folder: ModelFolder, limit_bytes: int) -> Layout:
    """The fastest layout that fits. Raises NotEnoughMemory with need and room."""
    fast = _fast_layout()
    if fast.dtype is not None and folder.parameters * fast.dtype.size + WORK_BYTES <= limit_bytes:
        return fast
    need = folder.stored_bytes + WORK_BYTES
    if need > limit_bytes:
        raise NotEnoughMemory(
            f"`{folder.name}` needs {human_bytes(need)}, {human_bytes(limit_bytes)} may be used.",
            hint="Unload another model, take a smaller quantization, or raise `pool.memory`.",
        )
    return Layout.AS_STORED


def memory_share() -> int:
    """What one model may use of the device when nobody says."""
    info: Mapping[str, Any] = mx.device_info()
    if device_kind() == "cpu":
        return int(psutil.virtual_memory().total * MEMORY_SHARE)
    total = info.get("max_recommended_working_set_size") or info.get("total_memory") or info.get("memory_size")
    return int(int(total or psutil.virtual_memory().total) * MEMORY_SHARE)


def device_kind() -> str:
    """`cpu`, `metal` or `cuda`."""
    if mx.default_device() == mx.Device(mx.cpu):
        return "cpu"
    return "metal" if mx.metal.is_available() else "cuda"


def _fast_layout() -> Layout:
    # x86 CPUs multiply nothing but float32 fast; CUDA's quantized kernels do not scale with the batch; Metal's do.
    return {"cpu": Layout.FLOAT32, "cuda": Layout.BFLOAT16, "metal": Layout.AS_STORED}[device_kind()]
