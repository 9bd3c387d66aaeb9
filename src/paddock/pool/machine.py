"""How much memory this machine has left, whoever uses the rest."""

from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class MachineMemory:
    total_bytes: int
    available_bytes: int


def read_memory() -> MachineMemory:
    memory = psutil.virtual_memory()
    return MachineMemory(memory.total, memory.available)


def free_for_models(memory: MachineMemory, share_min: float) -> int:
    """The bytes that models may still take so that `share_min` of the memory stays available; below zero when less is."""
    return memory.available_bytes - int(memory.total_bytes * share_min)


def short_of(memory: MachineMemory, share_min: float) -> int:
    """The bytes that are missing until `share_min` of the memory is available; 0 when it is."""
    return max(0, -free_for_models(memory, share_min))
