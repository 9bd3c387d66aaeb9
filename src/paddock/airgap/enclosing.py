"""How a process of ours is held: the hook, and the kernel's filter where there is one. The first thing that it does."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from paddock.airgap import hook, kernel
from paddock.airgap.airgap import Airgap, airgap_at
from paddock.airgap.kernel import Reach

_LEDGER: Final = "PADDOCK_AIRGAP_LEDGER"
_log: Final = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())


def enclose(airgap: Airgap, *, reach: Reach = Reach.TCP) -> None:
    """Hold this process, and what it starts, to this machine, for good. Once; later calls change nothing."""
    if hook.is_installed():
        return
    hook.install(airgap)
    if not kernel.hold(reach):
        _log.warning("airgap.no_kernel_filter process=%s", airgap.process)


def runner_variables(ledger: Path | None) -> Mapping[str, str]:
    """What a runner's environment says of it; nothing when Paddock may reach out."""
    return {} if ledger is None else {"PADDOCK_AIRGAP": "1", _LEDGER: str(ledger)}


def enclose_runner(environment: Mapping[str, str], name: str) -> None:
    """Hold a runner, if its environment says so. It speaks with the server over a pair of sockets, and opens no other."""
    ledger = environment.get(_LEDGER)
    if ledger:
        enclose(airgap_at(Path(ledger), f"runner of {name}"), reach=Reach.NOTHING)
