"""Who wants to hear what happens in the pool: metrics."""

from typing import Protocol


class PoolObserver(Protocol):
    """Told as it happens, from the event loop; returns at once and raises nothing."""

    def loaded(self, name: str, *, seconds: float, memory_bytes: int) -> None: ...

    def evicted(self, name: str, *, reason: str) -> None:
        """`reason`: room, idle, pressure, unloaded or failed."""
        ...

    def hit(self, name: str) -> None:
        """A request found its model in memory."""
        ...

    def refused(self, name: str, *, code: str) -> None:
        """A request got no model; `name` is what it asked for, `code` the error's."""
        ...


class Nobody:
    """Implements PoolObserver. Nobody listens."""

    def loaded(self, name: str, *, seconds: float, memory_bytes: int) -> None: ...

    def evicted(self, name: str, *, reason: str) -> None: ...

    def hit(self, name: str) -> None: ...

    def refused(self, name: str, *, code: str) -> None: ...
