"""What a search of the disk brings back: models with their files, and notes about what was passed over."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from paddock.library.fingerprint import FileStamp, fingerprint_stamps
from paddock.vocabulary import SourceKind


class AdoptedFrom(StrEnum):
    """The tool that keeps the files."""

    HUGGINGFACE = "huggingface"
    OLLAMA = "ollama"
    LMSTUDIO = "lmstudio"
    LLAMACPP = "llama.cpp"


class FileRole(StrEnum):
    """What a file is to its model. Ollama keeps a model's texts in files of their own."""

    PART = "part"  # of the model itself: weights, configuration, tokenizer
    PROJECTOR = "projector"  # the vision half of a GGUF model
    ADAPTER = "adapter"  # a LoRA that Ollama applies on loading
    TEMPLATE = "template"
    SYSTEM = "system"
    PARAMETERS = "parameters"
    LICENSE = "license"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file, where its bytes really are. Two models that share bytes tell the same `identity`."""

    path: str  # its name below the model's `root`, with `/`
    location: str  # where the bytes are, links resolved
    size: int
    mtime_ns: int
    identity: tuple[int, int]  # device and inode
    sha256: str | None = None  # when the store's own file name tells it; not checked here
    git_oid: str | None = None
    role: FileRole = FileRole.PART


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel:
    """One complete model of another tool. Its files stay where they are and belong to that tool."""

    name: str  # what the library may call it: `org/name`, `org/name:Q4_K_M`, `llama3.2:3b`
    reference: str  # what to pull to get it again, on this machine or another
    source: SourceKind
    tool: AdoptedFrom
    path: Path  # what a runner opens: a folder, or the (first) weight file
    root: Path  # what the files' names are relative to
    revision: str | None
    files: tuple[FoundFile, ...]

    @property
    def size(self) -> int:
        """Bytes on disk, a file that appears twice counted once."""
        return sum({file.identity: file.size for file in self.files}.values())

    @property
    def modified_at(self) -> datetime:
        newest_ns = max((file.mtime_ns for file in self.files), default=0)
        return datetime.fromtimestamp(newest_ns / 1e9, tz=UTC)

    @property
    def fingerprint(self) -> str:
        """Changes when one of the files does; `fingerprint_files(root, names)` gives the same."""
        return fingerprint_stamps(FileStamp(file.path, file.size, file.mtime_ns) for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """An entry that was passed over, and why. `doctor` shows them."""

    tool: AdoptedFrom
    path: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Iterates over the models."""

    models: tuple[FoundModel, ...]
    notes: tuple[Note, ...]

    def __iter__(self) -> Iterator[FoundModel]:
        return iter(self.models)


class PassedOver(Exception):
    """Within a search: this entry is not a model that we may offer. The message becomes its note."""
