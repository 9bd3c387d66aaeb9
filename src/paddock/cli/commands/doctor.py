"""`paddock doctor`."""

from collections import Counter
from dataclasses import dataclass

from rich.text import Text

from paddock.cli.checks import CHECKS, Finding, Outcome, Patient
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.cli.screen import Screen
from paddock.cli.words import several
from paddock.errors import PaddockError

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
    patient = Patient(desk)
    findings = [finding for check in CHECKS for finding in await check(patient)]
    document = DoctorDocument(
        ok=all(finding.outcome is not Outcome.PROBLEM for finding in findings), findings=tuple(findings)
    )
    desk.answer(document, lambda screen: _show(screen, document))
    if not document.ok:
        desk.fail(PaddockError.exit_code)


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
