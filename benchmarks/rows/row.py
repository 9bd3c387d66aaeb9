"""What a row is, what it finds, and how turns are taken."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from benchmarks.asking import Answer, Ask
from benchmarks.measure import Result
from benchmarks.models import CACHE, pony, qwen3
from benchmarks.serving.arena import Arena
from benchmarks.serving.serving import Contender, Serving

USUAL_MINUTES: Final = 15.0
_APART_S: Final = 0.004
Numbers = Mapping[str, float]  # what one turn measured, by name


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How thoroughly. `quick` shows that it works, not how fast it is."""

    rounds: int = 5
    quick: bool = False
    minutes: float = USUAL_MINUTES  # for all rows, about; more rounds fit into more
    cache: Path | None = None  # where models are made; None is the usual place

    def model(self, shape: str = "37m") -> Path:
        """Of that shape; a tiny one for all when quick."""
        if shape == "pony":
            return pony(cache=self.cache or CACHE)
        return qwen3("tiny" if self.quick else shape, cache=self.cache or CACHE)


class Compared(StrEnum):
    RATIO = "×"  # ours over theirs
    DIFFERENCE = "more"  # ours less theirs
    ALONE = "itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One promise and what was measured for it, round by round."""

    what: str
    unit: str  # of what was measured
    ours: Sequence[float]
    theirs: Sequence[float] = ()
    compared: Compared
    goal: float | None  # None: no promise, a figure
    at_least: bool = False
    failure: str | None = None  # why there is no figure

    @property
    def value(self) -> float:
        return self._compare(statistics.median(self.ours), statistics.median(self.theirs or [0.0]))

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the most that any round came to, each against the same round of the other or its only one."""
        others = self.theirs or [0.0]
        each = [self._compare(mine, others[min(number, len(others) - 1)]) for number, mine in enumerate(self.ours)]
        return min(each), max(each)

    @property
    def value_unit(self) -> str:
        return "×" if self.compared is Compared.RATIO else self.unit

    @property
    def result(self) -> Result | None:
        """None for a figure that nothing was promised of. What could not be measured was not kept."""
        if self.goal is None:
            return None
        value = float("nan") if self.failure else self.value
        return Result(self.what, value, self.value_unit, self.goal, self.at_least)

    def _compare(self, mine: float, other: float) -> float:
        if self.compared is Compared.RATIO:
            return mine / other
        return mine - other if self.compared is Compared.DIFFERENCE else mine


class Row(Protocol):
    """Something that can be measured alone."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    def model(self, options: Options) -> Path | None:
        """Whom its contenders serve, so that rows with the same one follow each other; None when it starts its own."""
        ...

    async def measure(self, arena: Arena, options: Options) -> list[Finding]:
        """Never raises for what a contender does: a finding says that there is no figure, and why."""
        ...


@dataclass(slots=True)
class Played:
    """What every turn measured, and who could not finish one."""

    numbers: dict[tuple[str, str], list[float]] = field(default_factory=dict[tuple[str, str], list[float]])
    failures: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, contender: Contender, measured: Numbers) -> None:
        for name, value in measured.items():
            self.numbers.setdefault((contender.name, name), []).append(value)

    def compare(
        self,
        what: str,
        unit: str,
        name: str,
        mine: Contender,
        other: Contender | None = None,
        *,
        goal: float | None,
        at_least: bool = False,
        other_name: str | None = None,
        compared: Compared = Compared.RATIO,
    ) -> Finding:
        """`name` of `mine` against `other_name` (or the same) of `other` (or the same one)."""
        ours = self.numbers.get((mine.name, name), [])
        theirs: list[float] = []
        if compared is not Compared.ALONE:
            theirs = self.numbers.get(((other or mine).name, other_name or name), [])
        failed = next(
            (f"{each.name}: {why}" for each in (mine, other) if each and (why := self._why(each, name))), None
        )
        return Finding(
            what=what,
            unit=unit,
            ours=ours,
            theirs=theirs,
            compared=compared,
            goal=goal,
            at_least=at_least,
            failure=failed,
        )

    def _why(self, contender: Contender, name: str) -> str | None:
        """Nothing when it measured at least once: what failed later is told while it happens."""
        if (contender.name, name) in self.numbers:
            return None
        return self.failures.get(contender.name, "it was never measured")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """A row in which the same is asked of everybody, turn by turn: A B A B A B, so that a busy minute hits all alike."""

    name: str
    title: str
    contenders: Sequence[Contender]
    play: Callable[[Serving, int, Options], Awaitable[Numbers]]  # one turn; the number is that of the round
    conclude: Callable[[Played], list[Finding]]
    shape: str = "37m"  # of the model
    rounds_max: int | None = None  # of a row that is too slow for more
    turn_limit_s: float = 60.0
    row_limit_s: float = 90.0  # no round begins later, in the usual quarter of an hour
    afresh: bool = (
        False  # a new process each turn: one is quicker than another for as long as it lives, by where its memory lies
    )

    def model(self, options: Options) -> Path:
        return options.model(self.shape)

    async def measure(self, arena: Arena, options: Options) -> list[Finding]:
        played, model = Played(), self.model(options)
        began = time.monotonic()
        for number in range(min(options.rounds, self.rounds_max or options.rounds)):
            if number and time.monotonic() - began > self.row_limit_s * options.minutes / USUAL_MINUTES:
                print(f"  {self.name}: out of time after {number} rounds", flush=True)
                break
            for contender in self.contenders:
                if contender.name not in played.failures:
                    await self._turn(arena, contender, model, number, options, played)
        return self.conclude(played)

    async def _turn(
        self, arena: Arena, contender: Contender, model: Path, number: int, options: Options, played: Played
    ) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.turn_limit_s):
                measured = await self.play(await arena.alone(contender, model), number, options)
        except TimeoutError:
            why = f"did not finish within {self.turn_limit_s:g} s"
        except Exception as error:  # noqa: BLE001  whatever a contender does, the others are still measured
            why = f"{type(error).__name__}: {str(error)[-600:]}"
        else:
            played.add(contender, measured)
            took = time.monotonic() - began
            told = ", ".join(f"{name} {value:.4g}" for name, value in measured.items())
            print(f"  {self.name} round {number + 1}: {contender.name}: {told} ({took:.1f} s)", flush=True)
            if self.afresh:
                await arena.remove(contender, model)
            return
        played.failures[contender.name] = why
        print(f"  {self.name} round {number + 1}: {contender.name} FAILED: {why}", flush=True)
        await arena.remove(contender, model)


async def answers_of(serving: Serving, asked: Sequence[Ask]) -> list[Answer]:
    """All at once, until the last has ended. The first failure cancels the others and is raised.

    They come a few milliseconds apart: a peer whose listen queue is short would drop connections, and a second would pass
    before the system tries again. That is not what is measured.
    """

    async def one(number: int, ask: Ask) -> Answer:
        await asyncio.sleep(number * _APART_S)
        return await serving.answer(ask)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(number, ask)) for number, ask in enumerate(asked)]
    except* Exception as failures:
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]
