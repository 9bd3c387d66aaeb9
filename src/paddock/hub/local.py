"""Models that are on this disk already: a file or a folder, listed where it is and never copied or changed."""

import difflib
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from paddock.catalog.reading import FileReader
from paddock.errors import InvalidFile, ModelNotFound, StorageError
from paddock.hub.reference import ModelReference
from paddock.hub.source import Hit, Listing, RemoteFile
from paddock.vocabulary import SourceKind

FILES_MAX = 10_000
_CONFIG_BYTES_MAX = 4 << 20
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz")


@dataclass(frozen=True, slots=True)
class LocalFile:
    """One plain file of a local model: its path within it, where it really lies, and what the disk says about it."""

    path: str
    location: Path
    size: int
    modified_ns: int

    @property
    def key(self) -> str:
        """Changes when the file does, without reading it."""
        return hashlib.sha256(f"{self.location}\0{self.size}\0{self.modified_ns}".encode(errors="replace")).hexdigest()


class LocalSource:
    """`file:///…`: registers in place. The revision changes when any file's size or time does."""

    kind = SourceKind.LOCAL

    def __init__(self, *, files_max: int = FILES_MAX) -> None:
        self._files_max = files_max

    def search(self, query: str, *, limit: int) -> Sequence[Hit]:
        """Nothing: the disk is not searched for models here."""
        return ()

    def list(self, reference: ModelReference) -> Listing:
        """The files at the reference's path. Raises ModelNotFound, InvalidFile, StorageError."""
        path = Path(reference.name)
        files = local_files(path, files_max=self._files_max)
        revision = hashlib.sha256("\n".join(f"{file.path}\0{file.key}" for file in files).encode(errors="replace"))
        return Listing(
            reference=reference,
            name=local_name(path),
            source=SourceKind.LOCAL,
            revision=revision.hexdigest(),
            files=tuple(
                RemoteFile(path=file.path, size=file.size, key=file.key, location=str(file.location)) for file in files
            ),
            modified_at=modified_at(files),
            metadata=local_metadata(files),
        )

    def reader(self, listing: Listing, file: RemoteFile) -> FileReader:
        return open_local(file)

    def headers(self, url: str) -> Mapping[str, str]:
        return {}

    def refresh(self, listing: Listing, file: RemoteFile) -> RemoteFile:
        return file


def open_local(file: RemoteFile) -> FileReader:
    """A reader of a listed file. Raises StorageError when it is gone or closed to us."""
    try:
        return FileReader(Path(file.location))
    except OSError as error:
        raise StorageError(
            f"`{file.location}` cannot be read: {error.strerror}.",
            hint="The file moved or its permissions changed since the model was registered.",
        ) from error


def local_files(path: Path, *, files_max: int = FILES_MAX) -> tuple[LocalFile, ...]:
    """The plain files of the model at `path`, by path. Hidden files are not part of a model.

    Symbolic links count as the files they lead to as long as those lie in the folder itself, or in the blobs of the
    Hugging Face cache that the folder is a snapshot of. Raises ModelNotFound, InvalidFile and StorageError.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelNotFound(f"There is no file or folder `{path}`.", hint=_near(path)) from error
    except (OSError, ValueError) as error:
        raise StorageError(
            f"`{path}` cannot be read: {error}.", hint="Check the permissions of the file and of its folders."
        ) from error
    if stat.S_ISREG(mode):
        return (_described(path.name, path.resolve()),)
    if not stat.S_ISDIR(mode):
        raise InvalidFile(
            f"`{path}` is neither a file nor a folder.", hint="Name a model's folder or its `.gguf` file."
        )
    root = path.resolve()
    files = tuple(sorted(_walk(root, files_max), key=lambda file: file.path))
    if not files:
        raise InvalidFile(f"`{path}` holds no files.", hint="Name the folder that holds the model's weights.")
    return files


def _walk(root: Path, files_max: int) -> Iterator[LocalFile]:
    allowed = _allowed(root)
    count = 0
    for folder, folders, names in os.walk(root, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in [*names, *(name for name in folders if Path(folder, name).is_symlink())]:
            if name.startswith("."):
                continue
            count += 1
            if count > files_max:
                raise InvalidFile(
                    f"`{root}` holds more than {files_max:,} files.",
                    hint="Name the model's own folder, not one above it.",
                )
            found = Path(folder, name)
            path = found.relative_to(root).as_posix()
            target = _target(found, path, allowed) if found.is_symlink() else found
            if target.is_file():
                yield _described(path, target)
            elif not target.is_dir():
                raise InvalidFile(
                    f"`{path}` in `{root}` is not a plain file.",
                    hint="A model holds files and folders only; remove it.",
                )


def _allowed(root: Path) -> tuple[Path, ...]:
    """Where links may lead: the folder, and the blobs beside it when it is `models--…/snapshots/<commit>`."""
    if root.parent.name == "snapshots":
        return (root, root.parent.parent / "blobs")
    return (root,)


def _target(link: Path, path: str, allowed: Sequence[Path]) -> Path:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, on Python 3.11 and 3.12
        raise InvalidFile(
            f"The link `{path}` leads nowhere.", hint="Put the file in its place, or remove the link."
        ) from error
    if not any(target.is_relative_to(folder) for folder in allowed):
        raise InvalidFile(
            f"The link `{path}` leads out of the model's folder, to `{target}`.",
            hint="Put the file itself there, or register the folder that holds it.",
        )
    return target


def _described(path: str, location: Path) -> LocalFile:
    try:
        found = location.stat()
        os.close(os.open(location, os.O_RDONLY))
    except OSError as error:
        raise StorageError(
            f"`{location}` cannot be read: {error.strerror}.", hint="Check the permissions of the file."
        ) from error
    return LocalFile(path, location, found.st_size, found.st_mtime_ns)


def _unreadable(error: OSError) -> None:
    raise StorageError(
        f"`{error.filename}` cannot be read: {error.strerror}.", hint="Check the permissions of the folder."
    ) from error


def local_name(path: Path) -> str:
    """What the library calls it: the last part of the path, without `.gguf` and without what a name may not hold."""
    stem = path.name.removesuffix(".gguf").removesuffix(".GGUF")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip(".-_")
    return name or "model"


def modified_at(files: Iterable[LocalFile]) -> datetime:
    return datetime.fromtimestamp(max(file.modified_ns for file in files) / 1e9, UTC)


def local_metadata(files: Iterable[LocalFile]) -> dict[str, Any]:
    """`config` as the model's config.json says, and `pickles`, the files that run code when they are loaded."""
    metadata: dict[str, Any] = {}
    pickles = [file.path for file in files if file.path.lower().endswith(_PICKLES)]
    if pickles:
        metadata["pickles"] = pickles
    config = next((file for file in files if file.path == "config.json"), None)
    if config is not None and config.size <= _CONFIG_BYTES_MAX:
        try:
            value: object = json.loads(config.location.read_bytes())
        except (OSError, ValueError, RecursionError):
            return metadata  # the catalog says what is wrong with it when it reads the file itself
        if isinstance(value, dict):
            metadata["config"] = cast(dict[str, Any], value)
    return metadata


def _near(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()][:1000]
    except OSError:
        return f"Its folder `{path.parent}` is not there either, or is closed to you."
    near = difflib.get_close_matches(path.name, names, 3)
    if near:
        return "Did you mean " + " or ".join(f"`{path.parent / name}`" for name in near) + "?"
    return "Check the spelling; the path must be absolute."
