"""Archives, unpacked as if their maker meant harm: nothing leaves the folder, nothing but plain files arrives, and the
bytes stay within limits that are checked while they are written, not as the archive tells them.

Knows `.zip`, `.tar`, `.tar.gz` and `.tgz`, told apart by their first bytes. Everything lands in a folder of its own
that gets its final name at the end.
"""

import gzip
import io
import os
import stat
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from paddock.errors import Corrupt, InUse, StorageError
from paddock.store.names import check_file_path

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
_COPY_BYTES = 1 << 20
_STEP_BYTES_MAX = 32 << 20  # one read of the archive itself: a longer one would be a directory made to fill memory
_MALFORMED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    ValueError,
    RuntimeError,  # zipfile's word for a compression that it does not know
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackLimits:
    """What an archive may grow into."""

    members_max: int = 10_000
    total_bytes_max: int = 2 << 40
    ratio_max: int = 200  # unpacked bytes over packed ones, once `ratio_free_bytes` are exceeded
    ratio_free_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class _Member:
    """One entry: a plain file if `open` is there, else a folder."""

    name: str
    open: Callable[[], IO[bytes]] | None


def is_archive(name: str) -> bool:
    """True when `name` ends like an archive that `unpack` can read."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def unpack(archive: Path, folder: Path, *, limits: UnpackLimits = UnpackLimits()) -> tuple[str, ...]:
    """Unpack `archive` into `folder`, which must not exist yet, and return the paths of its files, sorted.

    All or nothing: `folder` appears complete or not at all. Raises Corrupt for an archive that is damaged or holds what
    no model needs (paths that climb out, links, devices, more bytes than the limits), InUse when `folder` is there, and
    StorageError when the disk will not take it.
    """
    if folder.exists():
        raise InUse(f"`{folder}` is there already.", hint="Remove that model first, or unpack it elsewhere.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unpack-", dir=folder.parent) as temporary:
            room = Path(temporary) / "content"
            room.mkdir()
            paths = _write_all(archive, room, limits)
            room.rename(folder)
    except OSError as error:
        raise StorageError(
            f"`{archive.name}` cannot be unpacked into `{folder.parent}`: {error.strerror or error}.",
            hint="Check the free space and the permissions of that folder.",
        ) from error
    return paths


def _write_all(archive: Path, room: Path, limits: UnpackLimits) -> tuple[str, ...]:
    budget = _Budget(archive, limits)
    paths: dict[str, str] = {}
    try:
        with _opened(archive, budget) as members:
            for member in members:
                budget.count_member()
                path = safe_path(member.name, archive.name)
                if _is_litter(path):
                    continue
                target = room / path
                if member.open is None:
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                # A Mac's disk takes `Model` and `model` for one file; the second would replace the first.
                spelling = unicodedata.normalize("NFC", path).casefold()
                if paths.setdefault(spelling, path) != path or target.exists():
                    raise _hostile(archive.name, f"holds {_shown(path)} twice")
                target.parent.mkdir(parents=True, exist_ok=True)
                with member.open() as source, target.open("xb") as file:
                    _copy(source, file, budget)
    except _MALFORMED as error:
        raise Corrupt(f"`{archive.name}` is damaged: {error}.", hint="Fetch it again; it was not unpacked.") from error
    except (FileExistsError, NotADirectoryError) as error:
        raise _hostile(archive.name, "uses one name for a file and for a folder") from error
    if not paths:
        raise Corrupt(f"`{archive.name}` holds no files.", hint="Check the address: this is no archive of a model.")
    return tuple(sorted(paths.values()))


def _copy(source: IO[bytes], file: IO[bytes], budget: "_Budget") -> None:
    while piece := source.read(_COPY_BYTES):
        budget.count_bytes(len(piece))
        file.write(piece)


class _Budget:
    """Counts what was really unpacked; what headers claim is not asked."""

    def __init__(self, archive: Path, limits: UnpackLimits) -> None:
        self._name = archive.name
        self._limits = limits
        by_ratio = max(limits.ratio_free_bytes, archive.stat().st_size * limits.ratio_max)
        self.bytes_max = min(limits.total_bytes_max, by_ratio)
        self._members = 0
        self._bytes = 0

    def count_member(self) -> None:
        self._members += 1
        if self._members > self._limits.members_max:
            raise _hostile(self._name, f"holds more than {self._limits.members_max:,} members")

    def count_bytes(self, length: int) -> None:
        self._bytes += length
        if self._bytes > self.bytes_max:
            raise self.too_large()

    def too_large(self) -> Corrupt:
        return _hostile(self._name, f"unpacks to more than {self.bytes_max:,} bytes, far more than it should")


class _Steps(io.RawIOBase):
    """An open archive that refuses to be read in one gulp, or far past its limit: libraries believe its headers."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile, budget: _Budget) -> None:
        self._file = file
        self._budget = budget

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._file.read(_STEP_BYTES_MAX + 1 if size is None or size < 0 else min(size, _STEP_BYTES_MAX + 1))
        if len(data) > _STEP_BYTES_MAX:
            raise self._budget.too_large()
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_SET and offset > self._budget.bytes_max + _STEP_BYTES_MAX:
            raise self._budget.too_large()
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def _is_litter(path: str) -> bool:
    """What macOS adds to archives and nobody wants back."""
    return path.startswith("__MACOSX/") or path == "__MACOSX" or path.rpartition("/")[2] in (".DS_Store",)


def safe_path(name: str, archive: str) -> str:
    """`name` as a relative path that stays below the folder it is joined to. Raises Corrupt when it would not."""
    path = name.removesuffix("/")
    while path.startswith("./"):
        path = path[2:]
    try:
        check_file_path(path, of=archive)
    except Corrupt as error:
        raise _hostile(archive, f"holds the path {_shown(name)}, which is not safe to unpack") from error
    return path


@contextmanager
def _opened(archive: Path, budget: _Budget) -> Generator[Iterator[_Member]]:
    with archive.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic.startswith(b"PK"):
            with zipfile.ZipFile(_Steps(file, budget)) as opened:
                yield _zip_members(opened, archive.name)
        elif magic.startswith(b"\x1f\x8b"):
            with gzip.open(file) as plain, tarfile.open(fileobj=_Steps(plain, budget), mode="r:") as opened:
                yield _tar_members(opened, archive.name)
        else:
            with tarfile.open(fileobj=_Steps(file, budget), mode="r:") as opened:
                yield _tar_members(opened, archive.name)


def _zip_members(opened: zipfile.ZipFile, name: str) -> Iterator[_Member]:
    for info in opened.infolist():
        if info.flag_bits & 1:
            raise _hostile(name, f"holds {_shown(info.filename)}, which needs a password")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _hostile(name, f"holds {_shown(info.filename)}, which is a link or a device")
        # `filename` was cut at the first NUL by the reader; the name as stored must hold none.
        if "\0" in info.orig_filename:
            raise _hostile(name, f"holds {_shown(info.orig_filename)}")
        if info.is_dir():
            yield _Member(info.filename, None)
        else:
            yield _Member(info.filename, lambda info=info: opened.open(info))


def _tar_members(opened: tarfile.TarFile, name: str) -> Iterator[_Member]:
    for info in opened:
        if info.isdir():
            if info.name.strip("./"):
                yield _Member(info.name, None)
        elif info.isreg():
            yield _Member(info.name, lambda info=info: _tar_file(opened, info))
        else:
            raise _hostile(name, f"holds {_shown(info.name)}, which is a link or a device")


def _tar_file(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = opened.extractfile(info)
    assert file is not None, "plain files can be read"
    return file


def _hostile(archive: str, what: str) -> Corrupt:
    return Corrupt(
        f"`{archive}` {what}.", hint="Nothing of it was kept. Tell whoever published it, and do not trust it."
    )


def _shown(name: str) -> str:
    """`name` for a message: printable and short."""
    text = name.encode("unicode_escape", "backslashreplace").decode("ascii")
    return f"`{text[:80]}…`" if len(text) > 80 else f"`{text}`"
