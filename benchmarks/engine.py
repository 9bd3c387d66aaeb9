"""Many answers at once: Paddock's engine against `mlx_lm.server`, with the same weights on the same machine, turn by turn.

    python -m benchmarks engine

Every round asks for random texts of about 180 tokens, answered greedily with 32 to 128 tokens: sixteen at once,
and one alone. The peer runs as it is installed, and once more with a real BLAS. Only one server is up at a time:
idle peers spin. As installed the peer is slow, so it has one round; the others have five.
Paddock is asked through its runner, without HTTP, until it has a server.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.measure import Result
from benchmarks.models import qwen3
from benchmarks.peers import Ask, Round, mlx_lm_server
from paddock.fleet.fleet import Runner, RunnerSpec
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.vocabulary import GenerateRequest, ModelFormat, Sampling

STREAMS: Final = 16
_ROUNDS: Final = 5
_WORDS: Final = 140  # about 180 tokens
_OPENBLAS: Final = Path("/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0")
_COMMON: Final = (
    "time year people way day man thing woman life child world school state family student group country problem hand part "
    "place case week company system program question work night point home water room mother area money story fact month"
)


def asks(seed: int, streams: int) -> list[Ask]:
    """What is asked in one round; no two rounds ask the same."""
    chance, words = random.Random(seed), _COMMON.split()
    return [Ask(" ".join(chance.choice(words) for _ in range(_WORDS)), chance.randint(32, 128)) for _ in range(streams)]


@dataclass
class Contestant:
    """One server, and what its rounds came to, for each number of streams."""

    name: str
    answer_all: Callable[[Sequence[Sequence[Ask]]], list[Round]]  # starts it, asks, ends it
    rounds: int = _ROUNDS
    speeds: dict[int, list[float]] = field(default_factory=dict[int, list[float]])

    def play(self, number: int) -> None:
        if number >= self.rounds:
            return
        plan = [asks(0, 1), asks(1000 + number, 1), asks(2000 + number, STREAMS)]  # the first warms it up
        _, alone, together = self.answer_all(plan)
        self.speeds.setdefault(1, []).append(alone.tokens_per_second)
        self.speeds.setdefault(STREAMS, []).append(together.tokens_per_second)

    def median(self, streams: int) -> float:
        return statistics.median(self.speeds[streams])


def main() -> Iterator[Result]:
    model = qwen3()
    paddock = Contestant("Paddock", lambda plan: asyncio.run(paddock_rounds(model, plan)))
    same_blas = Contestant("mlx_lm.server, same BLAS", lambda plan: peer_rounds(model, plan, _OPENBLAS))
    installed = Contestant("mlx_lm.server, as installed", lambda plan: peer_rounds(model, plan, None), rounds=1)
    contestants = (paddock, same_blas, installed)
    for number in range(_ROUNDS):
        for contestant in contestants:
            contestant.play(number)
    print(markdown(contestants))
    yield _ratio(paddock, installed, STREAMS, 30)
    yield _ratio(paddock, same_blas, STREAMS, 2)
    yield _ratio(paddock, same_blas, 1, 1)


def markdown(contestants: Sequence[Contestant]) -> str:
    """Medians, and how many times as fast the first is."""
    first = contestants[0]
    lines = [f"| tokens/s, median | 1 stream | {STREAMS} streams |", "|---|---|---|"]
    for contestant in contestants:
        cells = [
            f"{contestant.median(streams):.1f} ({first.median(streams) / contestant.median(streams):.2f} ×)"
            for streams in (1, STREAMS)
        ]
        lines.append(f"| {contestant.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


async def paddock_rounds(model: Path, plan: Sequence[Sequence[Ask]]) -> list[Round]:
    """A fresh runner answers each round of `plan`."""
    fleet = SubprocessFleet()
    try:
        runner = await fleet.start(RunnerSpec(name=model.name, path=str(model), format=ModelFormat.MLX))
        return [await _together(runner, asked) for asked in plan]
    finally:
        await fleet.close()


def peer_rounds(model: Path, plan: Sequence[Sequence[Ask]], preload: Path | None) -> list[Round]:
    """A fresh `mlx_lm.server` answers each round of `plan`."""
    with mlx_lm_server(model, preload=preload) as server:
        return [server.answer(asked) for asked in plan]


async def _together(runner: Runner, asked: Sequence[Ask]) -> Round:
    began = time.perf_counter()
    usages = await asyncio.gather(*(_one(runner, str(number), ask) for number, ask in enumerate(asked)))
    seconds = time.perf_counter() - began
    return Round(sum(usage[0] for usage in usages), sum(usage[1] for usage in usages), seconds)


async def _one(runner: Runner, name: str, ask: Ask) -> tuple[int, int]:
    request = GenerateRequest(id=name, prompt=ask.prompt, sampling=Sampling(temperature=0, max_tokens=ask.tokens))
    async with aclosing(runner.generate(request)) as events:
        async for event in events:
            if event.usage is not None:
                return event.usage.prompt_tokens, event.usage.completion_tokens
    raise RuntimeError(f"request {name} ended without its usage")


def _ratio(ours: Contestant, theirs: Contestant, streams: int, goal: float) -> Result:
    value = ours.median(streams) / theirs.median(streams)
    return Result(f"tokens/s over {theirs.name}, {streams} at once", value, "×", goal, at_least=True)
