"""What a server costs while nobody asks."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.rows.figures import figure, no_figure
from benchmarks.rows.row import Finding, Options
from benchmarks.serving.arena import Arena
from benchmarks.serving.contenders import ENGINE, LLAMA, MLX_LM_SAME_BLAS, PADDOCK, VLLM
from benchmarks.serving.serving import Contender, Serving, cpu_seconds

_IDLE_S: Final = 25.0
_QUICK_S: Final = 1.0
_SETTLE_S: Final = 3.0  # what a model that was just loaded still has to tidy
_GOAL_PERCENT: Final = 0.5
_UNIT: Final = "% of a core"


@dataclass(frozen=True, slots=True)
class Idle:
    """All at the same time: on two cores they do not get into each other's way by idling."""

    name: str = "idle"
    title: str = "a model loaded and nobody asking"

    def model(self, options: Options) -> Path:
        return options.model()

    async def measure(self, arena: Arena, options: Options) -> list[Finding]:
        await arena.clear()
        up: list[tuple[Contender, Serving]] = []
        findings: list[Finding] = []
        for contender in (PADDOCK, ENGINE, MLX_LM_SAME_BLAS, VLLM, LLAMA):
            try:
                up.append((contender, await arena.start(contender, options.model())))
            except Exception as error:  # noqa: BLE001  the others are still measured
                findings.append(no_figure(_what(contender), _UNIT, str(error), _goal(contender)))
        await asyncio.sleep(0 if options.quick else _SETTLE_S)
        before = [cpu_seconds(serving.process) for _, serving in up]
        began = time.perf_counter()
        await asyncio.sleep(_QUICK_S if options.quick else _IDLE_S)
        took = time.perf_counter() - began
        for (contender, serving), used in zip(up, before, strict=True):
            percent = 100 * (cpu_seconds(serving.process) - used) / took
            findings.append(figure(_what(contender), _UNIT, [percent], _goal(contender)))
        await arena.clear()
        return findings


def _what(contender: Contender) -> str:
    return f"idle, model loaded: {contender.name}"


def _goal(contender: Contender) -> float | None:
    return _GOAL_PERCENT if contender in (PADDOCK, ENGINE) else None
