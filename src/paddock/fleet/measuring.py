"""How fast a loaded model is, seen from where its users are: requests go in, pieces come out, a clock runs.

Prompts are random tokens, each different, so that no prefix is found where none is meant to be. Answers are greedy and go
on past end tokens, so that every run does the same work.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from paddock.fleet.fleet import Runner
from paddock.runner.executor import LoadedModel
from paddock.vocabulary import GenerateRequest, Sampling, Usage

Clock = Callable[[], float]
_SUFFIX_TOKENS: Final = 16  # what differs between two prompts that begin alike
_SEED: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much to ask for."""

    streams: tuple[int, ...] = (1, 4, 16)
    prompt_tokens: int = 256
    answer_tokens: int = 64

    def fitting(self, model: LoadedModel) -> "Load":
        """The same, cut to what `model` can hold in its context."""
        prompt = min(self.prompt_tokens, model.context_window // 2)
        answer = min(self.answer_tokens, model.context_window - prompt - _SUFFIX_TOKENS)
        return Load(streams=self.streams, prompt_tokens=max(prompt, 1), answer_tokens=max(answer, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """So many requests at once."""

    streams: int
    prompt_tokens: int  # of all together
    completion_tokens: int
    prefill_tokens_per_second: float  # until the last of them had its first token
    decode_tokens_per_second: float | None  # from then on, all together
    first_token_seconds: float  # the middle one's


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixHit:
    """The same beginning, asked for a second time."""

    prompt_tokens: int
    cached_tokens: int
    cold_first_token_seconds: float
    warm_first_token_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """When the pieces of one answer came, in seconds on the clock, and how many tokens each had."""

    pieces: tuple[tuple[float, int], ...]
    usage: Usage

    @property
    def first_s(self) -> float:
        return self.pieces[0][0]


class Measure:
    """Asks one runner. Nobody else should ask it meanwhile."""

    def __init__(self, runner: Runner, load: Load, *, clock: Clock = time.perf_counter) -> None:
        self._runner = runner
        self._load = load.fitting(runner.model)
        self._clock = clock
        self._random = random.Random(_SEED)  # noqa: S311 (prompts, not secrets)
        self._asked = 0

    async def first_answer_seconds(self) -> float:
        """How long one short prompt waits for its first token."""
        began = self._clock()
        answered = await self._ask(self._prompt(min(16, self._load.prompt_tokens)), answer_tokens=1)
        return answered.first_s - began

    async def speeds(self) -> tuple[Speed, ...]:
        """One measurement for each number of streams, one after the other."""
        return tuple([await self._speed(streams) for streams in self._load.streams])

    async def prefix_hit(self) -> PrefixHit:
        """What a prompt costs of which all but the end was seen before."""
        shared = self._prompt(self._load.prompt_tokens)
        seconds: list[float] = []
        usage = Usage()
        for _ in range(2):
            began = self._clock()
            answered = await self._ask((*shared, *self._prompt(_SUFFIX_TOKENS)), answer_tokens=1)
            seconds.append(answered.first_s - began)
            usage = answered.usage
        return PrefixHit(
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            cold_first_token_seconds=seconds[0],
            warm_first_token_seconds=seconds[1],
        )

    async def _speed(self, streams: int) -> Speed:
        prompts = [self._prompt(self._load.prompt_tokens) for _ in range(streams)]
        began = self._clock()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask(prompt, answer_tokens=self._load.answer_tokens)) for prompt in prompts]
        return speed_of([task.result() for task in tasks], began)

    async def _ask(self, prompt: Sequence[int], *, answer_tokens: int) -> Answered:
        self._asked += 1
        request = GenerateRequest(
            id=f"measure-{self._asked}",
            tokens=tuple(prompt),
            sampling=Sampling(temperature=0, max_tokens=answer_tokens, ignore_end=True),
        )
        pieces: list[tuple[float, int]] = []
        usage = Usage()
        async with aclosing(self._runner.generate(request)) as events:
            async for event in events:
                if event.token_ids:
                    pieces.append((self._clock(), len(event.token_ids)))
                usage = event.usage or usage
        return Answered(pieces=tuple(pieces), usage=usage)

    def _prompt(self, count: int) -> tuple[int, ...]:
        ends = self._runner.model.end_token_ids
        drawn = (self._random.randrange(self._runner.model.vocabulary) for _ in range(2 * count + len(ends)))
        return tuple([token for token in drawn if token not in ends][:count])


def speed_of(answers: Sequence[Answered], began_s: float) -> Speed:
    """What `answers`, all asked for at `began_s`, say of the speed."""
    firsts = sorted(answer.first_s for answer in answers)
    ended = max(answer.pieces[-1][0] for answer in answers)
    prompt_tokens = sum(answer.usage.prompt_tokens for answer in answers)
    later = sum(count for answer in answers for moment, count in answer.pieces if moment > firsts[-1])
    return Speed(
        streams=len(answers),
        prompt_tokens=prompt_tokens,
        completion_tokens=sum(answer.usage.completion_tokens for answer in answers),
        prefill_tokens_per_second=round(prompt_tokens / (firsts[-1] - began_s), 1),
        decode_tokens_per_second=round(later / (ended - firsts[-1]), 1) if later else None,
        first_token_seconds=round(firsts[len(firsts) // 2] - began_s, 4),
    )
