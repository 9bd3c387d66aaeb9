"""Whether a disk has room for a pull. The rules are pure functions; the disk is asked through `FreeSpace`."""

import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from paddock.errors import NotEnoughDisk, StorageError
from paddock.units import human_bytes

FreeSpace = Callable[[Path], int]  # bytes that this user may still write where `path` is or would be
DEFAULT_FACTOR = 2.0


class DiskOutcome(StrEnum):
    FITS = "fits"
    TIGHT = "tight"  # above the floor, below the comfortable amount: warn and ask
    REFUSED = "refused"  # below the floor: nothing may override it


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskVerdict:
    """What a pull needs and what there is, in bytes."""

    outcome: DiskOutcome
    size_bytes: int  # still to be fetched
    floor_bytes: int  # the least that must be free
    comfortable_bytes: int  # what should be free
    free_bytes: int  # on the disk
    reserved_bytes: int  # of which other pulls will fill

    @property
    def available_bytes(self) -> int:
        return max(0, self.free_bytes - self.reserved_bytes)

    @property
    def missing_bytes(self) -> int:
        """What must be freed before the pull may start; 0 when it may."""
        return max(0, self.floor_bytes - self.available_bytes)

    def sentence(self, name: str) -> str:
        """The numbers for a person."""
        reserved = f" after {human_bytes(self.reserved_bytes)} for other pulls" if self.reserved_bytes else ""
        wanted = self.floor_bytes if self.outcome is DiskOutcome.REFUSED else self.comfortable_bytes
        return (
            f"`{name}` fetches {human_bytes(self.size_bytes)} and wants {human_bytes(wanted)} free; "
            f"{human_bytes(self.available_bytes)} is free{reserved}."
        )

    def refusal(self, name: str) -> NotEnoughDisk:
        """The error for a pull that is refused."""
        return NotEnoughDisk(
            self.sentence(name),
            hint=f"Free {human_bytes(self.missing_bytes)}: `paddock df` shows what is big, `paddock prune` removes it.",
        )


def required_bytes(size_bytes: int) -> int:
    """The floor: the files and a tenth more, rounded up."""
    return size_bytes + -(-size_bytes // 10)


def judge_disk(
    size_bytes: int, *, free_bytes: int, reserved_bytes: int = 0, factor: float = DEFAULT_FACTOR
) -> DiskVerdict:
    """Whether `size_bytes` may be fetched to a disk with `free_bytes`, of which other pulls will take their part.

    A size of 0 always fits: nothing will be written.
    """
    assert size_bytes >= 0
    assert reserved_bytes >= 0
    floor = required_bytes(size_bytes)
    comfortable = max(floor, int(size_bytes * factor))
    available = free_bytes - reserved_bytes
    if size_bytes and available < floor:
        outcome = DiskOutcome.REFUSED
    elif size_bytes and available < comfortable:
        outcome = DiskOutcome.TIGHT
    else:
        outcome = DiskOutcome.FITS
    return DiskVerdict(
        outcome=outcome,
        size_bytes=size_bytes,
        floor_bytes=floor,
        comfortable_bytes=comfortable,
        free_bytes=free_bytes,
        reserved_bytes=reserved_bytes,
    )


def free_space(path: Path) -> int:
    """The real reader: asks the nearest folder that exists."""
    try:
        return shutil.disk_usage(_nearest(path)).free
    except OSError as error:
        raise StorageError(
            f"The disk of `{path}` cannot be asked for its free space: {error.strerror}.",
            hint="Check that the folder is mounted and readable.",
        ) from error


def volume_of(path: Path) -> str:
    """A name for the disk that `path` is or would be on: two pulls to one volume share its free bytes."""
    return f"{socket.gethostname()}:{_nearest(path).stat().st_dev}"


def _nearest(path: Path) -> Path:
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
