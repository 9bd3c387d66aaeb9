"""How a process and its machine stand to `--airgap`, as API and command line tell it."""

from dataclasses import dataclass

from paddock.airgap import hook, kernel
from paddock.airgap.refusals import LISTED_MAX, Refusal, Refusals


@dataclass(frozen=True, slots=True, kw_only=True)
class AirgapStatus:
    """Whether nothing is reached beyond this machine, what holds it to that, and what was turned down."""

    airgap: bool
    hook: bool  # this process is held by Python's hook
    kernel: bool  # this kernel holds code that is not Python's, too: all of it in runners, all but TCP elsewhere
    refusals: tuple[Refusal, ...]  # of all processes of this home, oldest first


def read_status(refusals: Refusals, *, airgap: bool, count: int = LISTED_MAX) -> AirgapStatus:
    """Blocking: it reads the ledger."""
    return AirgapStatus(
        airgap=airgap,
        hook=hook.is_installed(),
        kernel=kernel.is_available(),
        refusals=tuple(refusals.latest(count)),
    )
