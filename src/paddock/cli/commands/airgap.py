"""`paddock airgap`."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from paddock.airgap.airgap import refusals_at
from paddock.airgap.refusals import LISTED_MAX, Refusal
from paddock.airgap.status import read_status
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.cli.screen import Screen
from paddock.cli.tables import Column, show_table
from paddock.cli.words import ago
from paddock.client.discovery import find_server
from paddock.errors import UsageError

_NO_FLAGS = Flags()
_KERNEL = {
    True: "This kernel holds code that is not Python's, too: all of it in runners, all but TCP in other processes.",
    False: "This kernel holds nothing: in code that is not Python's, nothing does.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AirgapDocument:
    """Whether Paddock keeps to this machine, and what was turned down."""

    airgap: bool  # of the commands that are run here
    source: str  # where that is set
    server: bool | None  # of the server that runs; null when none does
    kernel: bool  # this kernel holds code that is not Python's, too
    refusals: tuple[Refusal, ...]  # oldest first


def airgap(
    *,
    limit: Annotated[int, Parameter(help="How many of the latest refusals at most.")] = 20,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """See what was kept from leaving this machine.

    `--airgap`, `PADDOCK_AIRGAP=1` and the setting `airgap` keep every process of Paddock on this machine. Each destination
    beyond it that something wanted is written down, by whichever process.
    """
    if not 1 <= limit <= LISTED_MAX:
        raise UsageError(
            f"`--limit {limit}` is not between 1 and {LISTED_MAX}.", hint="Leave it out to see the latest 20."
        )
    config = desk.config
    status = read_status(refusals_at(config.paths.airgap_ledger), airgap=config.airgap, count=limit)
    server = find_server(config.paths.state)
    document = AirgapDocument(
        airgap=status.airgap,
        source=config.source_of("airgap"),
        server=server.airgap if server is not None else None,
        kernel=status.kernel,
        refusals=status.refusals,
    )
    desk.answer(document, lambda screen: _show(screen, document, desk))


def _show(screen: Screen, document: AirgapDocument, desk: Desk) -> None:
    if document.airgap:
        screen.sentence(f"Paddock keeps to this machine ({document.source}). {_KERNEL[document.kernel]}")
    else:
        screen.sentence(
            "Paddock may reach other machines. `airgap: true`, `PADDOCK_AIRGAP=1` and `--airgap` keep it here."
        )
    if document.server is not None and document.server is not document.airgap:
        told = "keeps to this machine" if document.server else "may reach other machines"
        screen.sentence(f"The server that runs {told}: it was started so.")
    if not document.refusals:
        screen.sentence("Nothing was turned down.")
        return
    now = desk.invocation.now()
    columns = (
        Column(title="when", rank=2),
        Column(title="process", rank=1),
        Column(title="action", rank=3),
        Column(title="host"),
        Column(title="times", rank=4, right=True),
        Column(title="for", wrap=True),
    )
    screen.line()
    show_table(screen, columns, [_row(one, ago(one.at, now)) for one in document.refusals])


def _row(one: Refusal, at: str) -> tuple[str, ...]:
    host = one.host if one.port is None else f"{one.host}:{one.port}"
    return at, one.process, one.action, host, str(one.times), one.who
