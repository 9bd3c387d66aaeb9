"""`paddock doctor`."""

from collections import Counter
from dataclasses import dataclass

from rich.text import Text

from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.cli.screen import Screen
from paddock.cli.words import several
from paddock.errors import PaddockError
from paddock.library.checkup import Finding, Outcome, Patient, examine

_NO_FLAGS = Flags()
_MARKS = {Outcome.OK: ("ok", "green"), Outcome.NOTE: ("note", "yellow"), Outcome.PROBLEM: ("problem", "red")}
_MARK_CELLS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorDocument:
    """`ok` is false when something must be mended."""

    ok: bool
    findings: tuple[Finding, ...]


async def doctor(*, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """Check this installation and say what to mend.

    Nothing is changed. Ends with 1 when there is a problem.
    """
    findings = await examine(_patient(desk))
    document = DoctorDocument(
        ok=all(finding.outcome is not Outcome.PROBLEM for finding in findings), findings=tuple(findings)
    )
    desk.answer(document, lambda screen: _show(screen, document))
    if not document.ok:
        desk.fail(PaddockError.exit_code)


def _patient(desk: Desk) -> Patient:
    from paddock.library.machine import read_machine
    from paddock.runner.mlx.blas import load_blas
    from paddock.store.space import free_space

    world = desk.invocation.world
    try:
        config = desk.config
    except PaddockError as error:
        config = error
    return Patient(
        config=config,
        free_space=world.free_space if world else free_space,
        machine=world.machine if world else read_machine,
        blas=load_blas,
        library=desk.library,
    )


def _show(screen: Screen, document: DoctorDocument) -> None:
    for finding in document.findings:
        word, style = _MARKS[finding.outcome]
        screen.line(Text.assemble((word.ljust(_MARK_CELLS), style), (f"{finding.check}: ", "bold"), finding.message))
        if finding.remedy:
            screen.line(" " * _MARK_CELLS + finding.remedy)
    counts = Counter(finding.outcome for finding in document.findings)
    screen.line()
    screen.line(
        f"{several(counts[Outcome.PROBLEM], 'problem')}, {several(counts[Outcome.NOTE], 'note')}."
        if counts[Outcome.PROBLEM] or counts[Outcome.NOTE]
        else "All is well."
    )
