"""Whether bytes are what they must be: SHA-256 for large files, git's blob id for small ones."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from paddock.errors import Corrupt, StorageError

BLOCK_BYTES = 1 << 20


class Hasher(Protocol):
    """What hashlib's objects are. `update` releases the GIL for large blocks."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None: ...

    def hexdigest(self) -> str: ...


def sha256_hasher() -> Hasher:
    return hashlib.sha256()


def git_blob_hasher(size: int) -> Hasher:
    """Git's id of a blob of `size` bytes: SHA-1 over a header that holds the size, then the content."""
    hasher = hashlib.sha1(usedforsecurity=False)
    hasher.update(b"blob %d\0" % size)
    return hasher


def sha256_of(path: Path, *, check: Callable[[], None] | None = None) -> str:
    """The SHA-256 of a file, in lower-case hex."""
    hasher = sha256_hasher()
    feed(hasher, path, check=check)
    return hasher.hexdigest()


def git_blob_id_of(path: Path, *, check: Callable[[], None] | None = None) -> str:
    """The id that git gives the file's content."""
    hasher = git_blob_hasher(path.stat().st_size)
    feed(hasher, path, check=check)
    return hasher.hexdigest()


def feed(hasher: Hasher, path: Path, *, check: Callable[[], None] | None = None) -> int:
    """Put the whole file through `hasher` and count its bytes; `check` is called between blocks and may raise."""
    count = 0
    block = memoryview(bytearray(BLOCK_BYTES))
    with path.open("rb", buffering=0) as file:
        while length := file.readinto(block):
            if check is not None:
                check()
            hasher.update(block[:length])
            count += length
    return count


def verify_file(
    path: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    git_oid: str | None = None,
    check: Callable[[], None] | None = None,
) -> None:
    """Raise Corrupt when the file is missing, has another size or another hash than the ones given."""
    try:
        actual_size = path.stat().st_size
        if size is not None and actual_size != size:
            raise Corrupt(f"`{path.name}` has {actual_size:,} bytes, {size:,} are right.", hint=_HINT)
        expected = sha256 or git_oid
        if expected is None:
            return
        actual = sha256_of(path, check=check) if sha256 else git_blob_id_of(path, check=check)
    except FileNotFoundError as error:
        raise Corrupt(f"`{path.name}` is missing from `{path.parent}`.", hint=_HINT) from error
    except OSError as error:
        raise StorageError(
            f"`{path}` cannot be read: {error.strerror}.", hint="Check the disk and the file's permissions."
        ) from error
    if actual != expected.lower():
        raise Corrupt(f"`{path.name}` hashes to {actual}, {expected.lower()} is right.", hint=_HINT)


_HINT = "Pull the model again: only the damaged files are fetched."
