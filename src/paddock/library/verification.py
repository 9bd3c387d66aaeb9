"""Whether a model's files still are what their source said: every byte read again, every hash compared."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from paddock.errors import Corrupt, StorageError
from paddock.library.records import KeptFile, ModelRecord
from paddock.store.checksum import verify_file


class FileOutcome(StrEnum):
    OK = "ok"
    CORRUPT = "corrupt"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    SIZE_ONLY = "size_only"  # nobody told a hash; the size is right


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    path: str
    outcome: FileOutcome
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """One model, file by file."""

    name: str
    files: tuple[FileCheck, ...]
    repairable: bool  # pulling it again would fetch the bad files

    @property
    def ok(self) -> bool:
        return all(file.outcome in (FileOutcome.OK, FileOutcome.SIZE_ONLY) for file in self.files)

    @property
    def bad_files(self) -> tuple[str, ...]:
        return tuple(file.path for file in self.files if file.outcome not in (FileOutcome.OK, FileOutcome.SIZE_ONLY))


def verify_record(
    record: ModelRecord, *, repairable: bool, on_file: Callable[[FileCheck], None], check: Callable[[], None]
) -> Verification:
    """Read every file of the model. Blocking; `check` is called between blocks and may raise to stop."""
    checks: list[FileCheck] = []
    for file in record.files:
        outcome = _check_file(Path(record.root) / file.path, file, check)
        checks.append(outcome)
        on_file(outcome)
    return Verification(name=record.name, files=tuple(checks), repairable=repairable)


def _check_file(path: Path, file: KeptFile, check: Callable[[], None]) -> FileCheck:
    if not path.exists():
        return FileCheck(path=file.path, outcome=FileOutcome.MISSING, problem=f"`{path}` is gone.")
    try:
        verify_file(path, size=file.size, sha256=file.sha256, git_oid=file.git_oid, check=check)
    except Corrupt as error:
        return FileCheck(path=file.path, outcome=FileOutcome.CORRUPT, problem=error.message)
    except StorageError as error:
        return FileCheck(path=file.path, outcome=FileOutcome.UNREADABLE, problem=error.message)
    told = file.sha256 or file.git_oid
    return FileCheck(path=file.path, outcome=FileOutcome.OK if told else FileOutcome.SIZE_ONLY)
