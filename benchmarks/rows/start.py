"""How soon a server is there, and how soon its first model."""

import time
from dataclasses import dataclass
from typing import Final

from benchmarks.asking import Ask
from benchmarks.models import CACHE
from benchmarks.rows.figures import figure, no_figure
from benchmarks.rows.row import Finding, Options
from benchmarks.serving.arena import Arena
from benchmarks.serving.contenders import paddock_serve

_PROMISES: Final = (("`paddock serve` to ready", 2.0), ("from there to the first token of `pony`, which loads it", 3.0))


@dataclass(frozen=True, slots=True)
class Start:
    """Whole processes, each with a home of its own that is empty."""

    name: str = "start"
    title: str = "`paddock serve` to ready, then the first answer"

    def model(self, options: Options) -> None:
        return None

    async def measure(self, arena: Arena, options: Options) -> list[Finding]:
        await arena.clear()
        ready: list[float] = []
        loaded: list[float] = []
        try:
            for _ in range(options.rounds):
                began = time.perf_counter()
                async with paddock_serve("pony", hub_home=CACHE / "hub-home-empty") as serving:
                    ready.append(time.perf_counter() - began)
                    loaded.append((await serving.answer(Ask("Hello", 1))).first_token_s)
        except Exception as error:  # noqa: BLE001  other rows are still measured
            return [no_figure(what, "s", str(error), goal) for what, goal in _PROMISES]
        return [figure(what, "s", times, goal) for (what, goal), times in zip(_PROMISES, (ready, loaded), strict=True)]
