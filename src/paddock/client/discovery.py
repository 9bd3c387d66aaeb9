"""The server that serves this home, if one runs."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server is, and what opens it."""

    url: str
    key: str | None = None
    airgap: bool = False  # it reaches nothing beyond this machine
    launch_key: str | None = None  # for programs that are started: it only lets them speak with models


def find_server(state: Path) -> Address | None:
    """The living server of the home whose state folder is `state`; None when there is none.

    Never disturbs it: a look at the lock that it holds and at the file that it wrote.
    """
    if not (state / "server.json").exists():  # the usual case, told without loading anything
        return None
    from paddock.server.state_file import running

    server = running(state)
    if server is None:
        return None
    return Address(url=server.address, key=server.token, launch_key=server.launch_token or None, airgap=server.airgap)
