"""One at a time: whoever is not measured is kept from running, so that nobody's idling costs another anything."""

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import psutil

from benchmarks.asking import Ask
from benchmarks.serving.serving import Contender, Serving, family

_WARM_UP: Final = Ask("time year people", 4)
_END_S: Final = 30.0


class Arena:
    """Starts contenders when they are first needed and keeps them until `clear`. Belongs to one event loop."""

    def __init__(self) -> None:
        self._here: dict[tuple[str, Path], tuple[Contender, Serving, AsyncExitStack]] = {}

    async def start(self, contender: Contender, model: Path) -> Serving:
        """It, running, with `model`, and past its first answer."""
        key = (contender.name, model)
        if key not in self._here:
            async with AsyncExitStack() as stack:
                serving = await stack.enter_async_context(contender.serving(model))
                await serving.answer(_WARM_UP)
                self._here[key] = (contender, serving, stack.pop_all())
        return self._here[key][1]

    async def alone(self, contender: Contender, model: Path) -> Serving:
        """It, running, and nobody else."""
        for key, (other, serving, _) in self._here.items():
            if key != (contender.name, model) and other.may_pause:
                _tell(serving.process, signal.SIGSTOP)
        serving = await self.start(contender, model)
        _tell(serving.process, signal.SIGCONT)
        return serving

    async def remove(self, contender: Contender, model: Path) -> None:
        """End it; the next turn starts another."""
        if here := self._here.pop((contender.name, model), None):
            _tell(here[1].process, signal.SIGCONT)
            async with asyncio.timeout(_END_S):
                await here[2].aclose()

    async def clear(self, *, keep: Path | None = None) -> None:
        """End everybody but those who serve `keep`."""
        for contender, model in [(each[0], key[1]) for key, each in self._here.items() if key[1] != keep]:
            await self.remove(contender, model)


def _tell(process: psutil.Process, sign: signal.Signals) -> None:
    for each in family(process):
        try:
            each.send_signal(sign)
        except psutil.NoSuchProcess:
            continue
