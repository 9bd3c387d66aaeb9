"""`paddock verify`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from paddock.cli.commands.models import Names
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.cli.screen import Screen
from paddock.cli.words import several
from paddock.errors import Corrupt
from paddock.library.verification import FileCheck, FileOutcome, Verification

_NO_FLAGS = Flags()
_FINE = (FileOutcome.OK, FileOutcome.SIZE_ONLY)
_WORDS = {
    FileOutcome.OK: "ok",
    FileOutcome.SIZE_ONLY: "right size; no hash is known",
    FileOutcome.CORRUPT: "corrupt",
    FileOutcome.MISSING: "missing",
    FileOutcome.UNREADABLE: "cannot be read",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedModel:
    name: str
    ok: bool
    repairable: bool
    files: tuple[FileCheck, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyDocument:
    ok: bool
    models: tuple[VerifiedModel, ...]


async def verify(
    names: Names = (),
    /,
    *,
    repair: Annotated[bool, Parameter(help="Fetch again what is bad.")] = False,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Check every byte of a model against its hash.

    Without names, all models. Ends with 1 when a file is not what it must be.
    """

    def told(model: str, check: FileCheck) -> None:
        if desk.flags.json:
            desk.report("checked", {"name": model, "path": check.path, "outcome": check.outcome})
        elif desk.err.is_terminal:
            desk.err.line(Text(f"{model}: {check.path}: {_WORDS[check.outcome]}", style="dim"))

    async with desk.library() as library:
        results = await library.verify(names, repair=repair, on_file=told)
    document = _document(results)
    desk.answer(document, lambda screen: _show(screen, document))
    if not document.ok:
        desk.fail(Corrupt.exit_code)


def _document(results: Sequence[Verification]) -> VerifyDocument:
    models = tuple(
        VerifiedModel(name=one.name, ok=one.ok, repairable=one.repairable, files=one.files) for one in results
    )
    return VerifyDocument(ok=all(model.ok for model in models), models=models)


def _show(screen: Screen, document: VerifyDocument) -> None:
    for model in document.models:
        bad = [file for file in model.files if file.outcome not in _FINE]
        if model.ok:
            screen.line(Text.assemble(f"{model.name}: {several(len(model.files), 'file')} ", ("ok", "green")))
            continue
        screen.line(Text.assemble(f"{model.name}: ", (f"{several(len(bad), 'file')} bad", "red")))
        for file in bad:
            screen.line(f"  {file.path}: {_WORDS[file.outcome]}. {file.problem or ''}".rstrip())
        screen.line(_remedy(model))


def _remedy(model: VerifiedModel) -> str:
    if model.repairable:
        return f"  Fetch them again with: paddock verify --repair {model.name}"
    return "  These files are another tool's or their owner's: mend them there."
