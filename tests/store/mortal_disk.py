"""A disk that dies, or fails, before its n-th change: for walking through every state that a crash can leave."""

from collections.abc import Callable
from pathlib import Path

from paddock.store.disk import Disk


class Killed(BaseException):
    """The process ends here: nobody may catch it and tidy up."""


class MortalDisk(Disk):
    """The real disk for `steps` changes, then `death`."""

    def __init__(self, steps: int, death: Callable[[], BaseException] = Killed) -> None:
        self._left = steps
        self._death = death

    def _step(self) -> None:
        if self._left <= 0:
            raise self._death()
        self._left -= 1

    def make_folder(self, path: Path) -> None:
        self._step()
        super().make_folder(path)

    def rename(self, source: Path, target: Path) -> None:
        self._step()
        super().rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        self._step()
        super().link(source, target)

    def symlink(self, target: str, path: Path) -> None:
        self._step()
        super().symlink(target, path)

    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)

    def remove_folder(self, path: Path) -> None:
        self._step()
        super().remove_folder(path)

    def write(self, path: Path, text: str) -> None:
        self._step()
        super().write(path, text)

    def sync_folder(self, path: Path) -> None:
        self._step()
        super().sync_folder(path)
