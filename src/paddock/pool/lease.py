"""What a request holds while it uses a model."""

from collections.abc import Callable

from paddock.fleet.fleet import Runner
from paddock.library.records import ModelRecord


class Lease:
    """Keeps a model in memory until it is released. Made by the pool."""

    __slots__ = ("_on_release", "_record", "_released", "_runner", "user")

    def __init__(
        self, record: ModelRecord, runner: Runner, *, user: str, on_release: Callable[["Lease"], None]
    ) -> None:
        self._record = record
        self._runner = runner
        self._on_release = on_release
        self._released = False
        self.user = user

    @property
    def record(self) -> ModelRecord:
        return self._record

    @property
    def runner(self) -> Runner:
        return self._runner

    def release(self) -> None:
        """The model may leave again. Calling it twice does no harm."""
        if not self._released:
            self._released = True
            self._on_release(self)
