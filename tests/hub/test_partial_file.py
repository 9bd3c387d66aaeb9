"""The file that grows: what is on disk and what is hashed never part, whatever the disk does."""

import errno
import hashlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from paddock.errors import NotEnoughDisk, StorageError
from paddock.hub.partial_file import PartialFile
from paddock.store.checksum import sha256_hasher

MIB = 1 << 20
DATA = bytes(range(256)) * (20 * MIB // 256)


class SmallDisk:
    """Takes `room` bytes, then none."""

    def __init__(self, room: int, error: int = errno.ENOSPC) -> None:
        self.room = room
        self.error = error

    def write(self, descriptor: int, data: memoryview) -> int:
        if self.room <= 0:
            raise OSError(self.error, os.strerror(self.error))
        written = os.write(descriptor, data[: self.room])
        self.room -= written
        return written

    def free(self, path: Path) -> int:
        return self.room


def partial_at(path: Path, disk: SmallDisk) -> PartialFile:
    return PartialFile(
        path,
        name="model.safetensors",
        size=len(DATA),
        new_hasher=sha256_hasher,
        write=disk.write,
        free_space=disk.free,
    )


def append(partial: PartialFile, data: bytes) -> None:
    with partial.appending(lambda position: None) as appender:
        for offset in range(0, len(data), 60_000):
            appender.add(data[offset : offset + 60_000])


def test_a_full_disk_says_how_much_is_missing_and_keeps_what_is_there(tmp_path: Path) -> None:
    partial = partial_at(tmp_path / "part", SmallDisk(5_000_000))
    with pytest.raises(NotEnoughDisk) as caught:
        append(partial, DATA)
    assert "16.0 MB is missing" in caught.value.message
    assert "model.safetensors" in caught.value.message
    assert partial.position == (tmp_path / "part").stat().st_size == 5_000_000

    again = partial_at(tmp_path / "part", SmallDisk(len(DATA)))
    again.load(lambda position: None, lambda: None)
    append(again, DATA[again.position :])
    again.sync()
    assert again.digest() == hashlib.sha256(DATA).hexdigest()
    assert (tmp_path / "part").read_bytes() == DATA


@pytest.mark.parametrize(
    ("error", "said"), [(errno.EFBIG, "cannot hold a file as large"), (errno.EIO, "cannot be written")]
)
def test_other_ways_of_a_disk_to_fail_have_their_own_words(tmp_path: Path, error: int, said: str) -> None:
    partial = partial_at(tmp_path / "part", SmallDisk(1000, error))
    with pytest.raises(StorageError, match=said):
        append(partial, DATA)


def test_a_failing_disk_does_not_leave_the_reader_waiting(tmp_path: Path) -> None:
    """The queue is bounded: a writer that gave up must still drain it."""
    partial = partial_at(tmp_path / "part", SmallDisk(0))
    with pytest.raises(NotEnoughDisk):
        append(partial, DATA)
    assert partial.position == 0


def test_a_failure_of_the_reader_still_writes_what_it_had_read(tmp_path: Path) -> None:
    partial = partial_at(tmp_path / "part", SmallDisk(len(DATA)))

    def broken_off() -> None:
        with partial.appending(lambda position: None) as appender:
            appender.add(DATA[:1000])
            raise RuntimeError("connection reset")

    with pytest.raises(RuntimeError, match="reset"):
        broken_off()
    assert (tmp_path / "part").read_bytes() == DATA[:1000]
    assert partial.digest() == hashlib.sha256(DATA[:1000]).hexdigest()


def test_starting_again_forgets_bytes_and_hash(tmp_path: Path) -> None:
    partial = partial_at(tmp_path / "part", SmallDisk(10 * len(DATA)))
    append(partial, b"wrong")
    partial.restart()
    append(partial, DATA)
    assert partial.digest() == hashlib.sha256(DATA).hexdigest()


def test_the_real_limit_of_the_system_on_file_sizes_is_met_with_an_error(tmp_path: Path) -> None:
    """No fake disk here: the kernel refuses."""
    program = (
        "import sys; from pathlib import Path; from paddock.hub.partial_file import PartialFile\n"
        "partial = PartialFile(Path(sys.argv[1]), name='big', size=None, new_hasher=None)\n"
        "try:\n"
        "    with partial.appending(lambda position: None) as appender:\n"
        "        [appender.add(bytes(100_000)) for _ in range(50)]\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, partial.position)\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, str(tmp_path / "part")],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB)),
    )
    assert done.stdout.split() == ["StorageError", str(MIB)]
