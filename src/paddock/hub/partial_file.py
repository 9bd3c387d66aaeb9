"""The file that grows: bytes and hash move together, so that after any failure it is known what is here.

    network thread ──[blocks]──► queue (1 MB) ──► writer thread: write, hash, report

Reading, hashing and writing overlap; hashing and writing release the GIL. Nothing stays in a buffer of ours but the
queue, so a killed process loses at most that.
"""

import errno
import os
import queue
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from paddock.errors import NotEnoughDisk, PaddockError, StorageError
from paddock.store.checksum import BLOCK_BYTES, Hasher
from paddock.store.space import FreeSpace, free_space
from paddock.units import human_bytes

_BLOCK_BYTES = 256 << 10
_QUEUED_BLOCKS_MAX = 3
_FLUSH_BYTES = 64 << 20  # write-back starts this often, so that the last fsync has little left to do

# macOS has only the one that also writes the times.
_flush: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)

Pieces = list[bytes]


class PartialFile:
    """A file under its partial name. One transfer owns it; the placement's lock keeps others away."""

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        size: int | None,
        new_hasher: Callable[[], Hasher] | None,
        write: Callable[[int, memoryview], int] = os.write,
        free_space: FreeSpace = free_space,
    ) -> None:
        """`name` and `size` are the model file's; `new_hasher` is None when nobody told a hash. `write` and
        `free_space` are the system's, or a test's full disk."""
        self.path = path
        self.position = 0  # bytes on disk, all of them hashed
        self._name = name
        self._size = size
        self._new_hasher = new_hasher
        self._hasher = new_hasher() if new_hasher else None
        self._write_some = write
        self._free_space = free_space

    def load(self, report: Callable[[int], None], check: Callable[[], None]) -> None:
        """Take up what an earlier process left: hash it again. More than the file can hold is thrown away."""
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()
            if self._size is not None and self.path.stat().st_size > self._size:
                self.restart()
                return
            self._hash_what_is_here(report, check)

    def _hash_what_is_here(self, report: Callable[[int], None], check: Callable[[], None]) -> None:
        block = memoryview(bytearray(BLOCK_BYTES))
        with self.path.open("rb", buffering=0) as file:
            while length := file.readinto(block):
                check()
                if self._hasher is not None:
                    self._hasher.update(block[:length])
                self.position += length
                report(self.position)

    def restart(self) -> None:
        """Back to nothing."""
        with self._explained():
            self.path.unlink(missing_ok=True)
            self.path.touch()
        self.position = 0
        self._hasher = self._new_hasher() if self._new_hasher else None

    def digest(self) -> str | None:
        """The hash of what is here, in hex."""
        return self._hasher.hexdigest() if self._hasher else None

    def looks_like_a_web_page(self) -> bool:
        with self.path.open("rb") as file:
            start = file.read(512).lstrip().lower()
        return start.startswith((b"<!doctype html", b"<html"))

    def sync(self) -> None:
        """On the disk, not only in its cache: nothing gets its final name before."""
        with self._explained(), self.path.open("ab") as file:
            os.fsync(file.fileno())

    @contextmanager
    def appending(self, report: Callable[[int], None]) -> Generator["Appender"]:
        """Append within the block. On leaving, whatever way, everything given is written and hashed, or the error of
        the disk is raised."""
        with self._explained():
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.lseek(descriptor, self.position, os.SEEK_SET)
                appender = Appender(lambda pieces: self._write(descriptor, pieces, report), descriptor)
                try:
                    yield appender
                finally:
                    appender.close()
            finally:
                os.close(descriptor)

    def _write(self, descriptor: int, pieces: Pieces, report: Callable[[int], None]) -> None:
        """Runs in the writer thread."""
        for piece in pieces:
            view = memoryview(piece)
            while view:
                written = self._write_some(descriptor, view)
                if self._hasher is not None:
                    self._hasher.update(view[:written])
                self.position += written
                view = view[written:]
        report(self.position)

    @contextmanager
    def _explained(self) -> Generator[None]:
        """An OSError of the disk as an error that names the file and the remedy."""
        try:
            yield
        except OSError as error:
            raise self._explain(error) from error

    def _explain(self, error: OSError) -> PaddockError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            missing = ""
            if self._size is not None:
                missing = (
                    f": {human_bytes(max(1, self._size - self.position - self._free_space(self.path)))} is missing"
                )
            return NotEnoughDisk(
                f"The disk is full while `{self._name}` is being written{missing}.",
                hint="Free some space, then pull again: it goes on where it stopped.",
            )
        if error.errno == errno.EFBIG:
            return StorageError(
                f"The file system of `{self.path.parent}` cannot hold a file as large as `{self._name}`.",
                hint="Keep models on another file system (`HF_HOME`, `PADDOCK_HOME`).",
            )
        return StorageError(
            f"`{self._name}` cannot be written to `{self.path.parent}`: {error.strerror}.",
            hint="Make the folder writable for this user, or choose another with `HF_HOME` or `PADDOCK_HOME`.",
        )


class Appender:
    """Takes pieces from one thread and writes them in another."""

    def __init__(self, write: Callable[[Pieces], None], descriptor: int) -> None:
        self._write = write
        self._descriptor = descriptor
        self._queue: queue.Queue[Pieces | None] = queue.Queue(_QUEUED_BLOCKS_MAX)
        self._pieces: Pieces = []
        self._length = 0
        self._error: BaseException | None = None
        self._unflushed = 0
        self._flush = threading.Event()
        self._ended = False
        self._threads = [
            threading.Thread(target=self._run, name="pull-writer", daemon=True),
            threading.Thread(target=self._run_flusher, name="pull-flusher", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def add(self, piece: bytes) -> None:
        """Hand over a piece; waits while the disk is behind. Raises the disk's error."""
        self._pieces.append(piece)
        self._length += len(piece)
        if self._length >= _BLOCK_BYTES:
            self._hand_over()

    def close(self) -> None:
        """Wait until all is written. Raises the disk's error."""
        try:
            self._hand_over()
        finally:
            self._queue.put(None)
            for thread in self._threads:
                thread.join()
        if self._error is not None:
            raise self._error

    def _hand_over(self) -> None:
        if self._error is not None:
            raise self._error
        if self._pieces:
            self._queue.put(self._pieces)
            self._pieces = []
            self._length = 0

    def _run(self) -> None:
        while (pieces := self._queue.get()) is not None:
            if self._error is not None:
                continue  # drain, so that `add` never waits for a writer that gave up
            try:
                self._write(pieces)
            except BaseException as error:  # noqa: BLE001 (handed to the thread that adds, which raises it)
                self._error = error
            self._unflushed += sum(map(len, pieces))
            if self._unflushed >= _FLUSH_BYTES:
                self._unflushed = 0
                self._flush.set()
        self._ended = True
        self._flush.set()

    def _run_flusher(self) -> None:
        while self._flush.wait() and not self._ended:
            self._flush.clear()
            try:
                _flush(self._descriptor)
            except OSError as error:
                self._error = error
                return
