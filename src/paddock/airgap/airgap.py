"""`Airgap`: asked by every room before it reaches out. The answer is nothing, or an error that names host and option."""

import logging
import sys
from functools import cache
from pathlib import Path
from typing import Final

from paddock.airgap.destinations import place_in, stays_here
from paddock.airgap.refusals import Refusal, Refusals
from paddock.errors import Airgapped

OPTION: Final = "airgap"
_log: Final = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # a program that sets no logging up has the ledger


class Airgap:
    """Keeps one process to this machine. Safe to share between threads."""

    def __init__(self, refusals: Refusals, *, process: str) -> None:
        """`process`: what this process is called in the ledger."""
        self.refusals = refusals
        self.process = process

    def check(self, host: str, port: int | None, *, who: str) -> None:
        """Raise Airgapped when `host` is not this machine, and write down that `who` wanted it."""
        if not stays_here(host):
            self.write_down("ask", host, port, who=who)
            raise Airgapped(
                f"`{host}` was not asked: `--airgap` keeps Paddock on this machine ({who}).",
                hint="What is here keeps working. To reach it, start without `--airgap`, `PADDOCK_AIRGAP`, `airgap: true`.",
            )

    def check_url(self, url: str, *, who: str) -> None:
        """The same for where `url` leads."""
        host, port = place_in(url)
        self.check(host, port, who=who)

    def write_down(self, action: str, host: str, port: int | None, *, who: str) -> Refusal:
        """Put what was turned down into the ledger and the log."""
        found = self.refusals.add(process=self.process, action=action, host=host, port=port, who=who)
        _log.warning("airgap.refused action=%s host=%s port=%s who=%s", action, found.host, port, found.who)
        return found


def airgap_at(ledger: Path, process: str | None = None) -> Airgap:
    """What keeps this process to this machine, and writes down in `ledger` what is turned down."""
    return Airgap(refusals_at(ledger), process=process or program())


@cache
def refusals_at(ledger: Path) -> Refusals:
    """The ledger at `ledger`, one of a process: repeats are counted in it."""
    return Refusals(ledger)


def program() -> str:
    """What this process is called in the ledger: the first word of its command line, which holds no secret."""
    return next((word for word in sys.argv[1:] if not word.startswith("-")), "paddock")


def check_url(airgap: Airgap | None, url: str, *, who: str) -> None:
    """`Airgap.check_url`, where there may be none."""
    if airgap is not None:
        airgap.check_url(url, who=who)
