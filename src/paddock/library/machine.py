"""What this machine has to offer a model: which device runs it and how much memory that device can use."""

import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

import psutil

Device = Literal["metal", "cuda", "cpu"]

# macOS lets the GPU wire about three quarters of unified memory.
_METAL_SHARE = 0.75
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_CUDA_PACKAGES = ("mlx-cuda-13", "mlx-cuda-12")


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts about the machine, read once; a plan is a function of them."""

    device: Device
    memory_bytes: int  # that the device can use at all
    available_bytes: int  # of which nobody uses now
    cores: int = 4  # of the processor


def read_machine(*, cgroup_limit: Path = _CGROUP_LIMIT) -> Machine:
    memory = psutil.virtual_memory()
    total, available = memory.total, memory.available
    cores = psutil.cpu_count(logical=False) or 1
    if sys.platform == "darwin" and platform.machine() == "arm64":
        usable = int(total * _METAL_SHARE)
        return Machine("metal", usable, min(available, usable))
    if any(_installed(package) for package in _CUDA_PACKAGES) and (cuda := _cuda_memory()):
        return Machine("cuda", *cuda)
    limit = _container_limit(cgroup_limit)
    if limit is not None and limit < total:
        # In a container the machine's memory is not ours to plan with.
        return Machine("cpu", limit, min(available, limit), cores)
    return Machine("cpu", total, available, cores)


def _installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


def _cuda_memory() -> tuple[int, int] | None:
    """Total and free bytes of the first CUDA device, None when the driver does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
        total_mib, free_mib = answer.stdout.splitlines()[0].split(",")
        return int(total_mib) << 20, int(free_mib) << 20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def _container_limit(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no such file, or `max`
        return None
