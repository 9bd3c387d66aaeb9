"""Trying one loaded model: how fast it is, whether what it says can be right, and what it can do."""

import math
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from paddock.errors import PaddockError, UsageError
from paddock.fleet.fleet import Runner
from paddock.library.measurements import revision_of
from paddock.library.records import ModelRecord
from paddock.library.trials.probes import Attempt, Probe, Said, probes
from paddock.library.trials.results import TrialResult
from paddock.vocabulary import (
    EmbedRequest,
    FinishReason,
    GenerateEvent,
    GenerateRequest,
    Message,
    ModelKind,
    Sampling,
    Thinking,
    ToolCallDelta,
)

_STORY_TOKENS: Final = 64
_SAME_MAX: Final = 0.9  # of the story's tokens: more of the same one is no text
_STORY: Final = "Tell me a short story."
_ALIKE: Final = ("How do I download a model?", "How can I fetch a model?", "The cat sat on the warm roof.")

Clock = Callable[[], float]


async def try_model(
    record: ModelRecord, runner: Runner, *, now: Callable[[], datetime], clock: Clock = time.perf_counter
) -> TrialResult:
    """Ask `runner`, which has loaded `record`, what its kind of model is asked. Who uses it meanwhile makes it slower.

    What the model cannot do is in the result. Raises what ends a runner, and what keeps anything from being asked.
    """
    trying = _Trying(record, runner, clock)
    if ModelKind(record.facts.model_type) is ModelKind.EMBEDDINGS:
        await trying.embed()
    else:
        await trying.speak()
        for probe in probes(vision=ModelKind(record.facts.model_type) is ModelKind.VISION):
            await trying.probe(probe)
    memory = (await runner.stats()).memory
    return TrialResult(
        model=record.name,
        revision=revision_of(record),
        device=runner.model.device,
        tried_at=now(),
        loads=True,
        sane=trying.sane,
        load_seconds=round(runner.model.load_seconds, 3),
        memory_bytes=memory.peak_bytes if memory is not None else runner.model.memory_bytes,
        first_token_seconds=trying.first_token_seconds,
        tokens_per_second=trying.tokens_per_second,
        can=trying.can,
        remarks=tuple(trying.remarks),
    )


def did_not_load(record: ModelRecord, error: PaddockError, *, now: Callable[[], datetime]) -> TrialResult:
    """The result for a model that never came into memory."""
    return TrialResult(
        model=record.name,
        revision=revision_of(record),
        device="",
        tried_at=now(),
        loads=False,
        sane=False,
        remarks=(f"It does not load: {error.message}",),
    )


@dataclass(slots=True)
class _Trying:
    """One model's trial as it goes on."""

    record: ModelRecord
    runner: Runner
    clock: Clock
    sane: bool = True
    first_token_seconds: float | None = None
    tokens_per_second: float | None = None
    can: dict[str, bool] = field(default_factory=dict[str, bool])
    remarks: list[str] = field(default_factory=list[str])
    asked: int = 0

    async def speak(self) -> None:
        """A text of some length: its speed, and whether it is one."""
        asked_at = self.clock()
        moments: list[tuple[float, int]] = []
        tokens: list[int] = []
        logprobs: list[float] = []
        attempt = Attempt(messages=(Message(role="user", content=_STORY),), tokens_max=_STORY_TOKENS)
        try:
            async with aclosing(self.runner.generate(self._request(attempt, logprobs=True))) as events:
                async for event in events:
                    if event.token_ids:
                        moments.append((self.clock(), len(event.token_ids)))
                    tokens += event.token_ids
                    logprobs += [chosen[0].logprob for chosen in event.logprobs if chosen]
        except UsageError as error:
            self._insane(f"It does not answer a plain question: {error.message}")
            return
        self._judge(tokens, logprobs)
        if moments:
            self.first_token_seconds = round(moments[0][0] - asked_at, 4)
            later, took = sum(count for _, count in moments[1:]), moments[-1][0] - moments[0][0]
            self.tokens_per_second = round(later / took, 1) if later and took > 0 else None

    async def probe(self, probe: Probe) -> None:
        for attempt in probe.attempts:
            try:
                shown = probe.shows(await self._answer(attempt))
            except UsageError:
                shown = False  # its template has no place for it
            self.can[probe.ability] = shown
            if shown:
                return
        self.remarks.append(probe.lacking)

    async def embed(self) -> None:
        """Three sentences, two of which mean the same."""
        began = self.clock()
        self.asked += 1
        embedded = await self.runner.embed(EmbedRequest(id=f"trial-{self.asked}", inputs=_ALIKE))
        took = self.clock() - began
        vectors = list(struct.iter_unpack(f"<{embedded.dimensions}f", embedded.vectors))
        if not all(math.isfinite(number) for vector in vectors for number in vector):
            self._insane("Its vectors hold numbers that are none.")
            self.can["embeddings"] = False
            return
        first, same, other = vectors
        self.can["embeddings"] = _likeness(first, same) > _likeness(first, other)
        self.tokens_per_second = round(sum(embedded.tokens) / took, 1) if took > 0 else None
        if not self.can["embeddings"]:
            self.remarks.append("Two questions that mean the same are further apart than one of them and a cat.")

    def _judge(self, tokens: list[int], logprobs: list[float]) -> None:
        if not tokens:
            self._insane("It answers a plain question with nothing.")
        elif not all(math.isfinite(each) for each in logprobs):
            self._insane("Its probabilities hold numbers that are none.")
        elif len(tokens) > 8 and max(tokens.count(each) for each in set(tokens)) > _SAME_MAX * len(tokens):
            self._insane("It says the same over and over.")

    def _insane(self, why: str) -> None:
        self.sane = False
        self.remarks.append(why)

    async def _answer(self, attempt: Attempt) -> Said:
        said: list[GenerateEvent] = []
        async with aclosing(self.runner.generate(self._request(attempt))) as events:
            async for event in events:
                said.append(event)
        calls: dict[int, ToolCallDelta] = {}
        for delta in (delta for event in said for delta in event.tool_calls):
            before = calls.get(delta.index, ToolCallDelta(index=delta.index))
            calls[delta.index] = ToolCallDelta(
                index=delta.index,
                id=before.id or delta.id,
                name=before.name or delta.name,
                arguments=before.arguments + delta.arguments,
            )
        return Said(
            text="".join(event.text for event in said),
            reasoning="".join(event.reasoning for event in said),
            calls=tuple(calls.values()),
            finish_reason=(said[-1].finish_reason if said else None) or FinishReason.STOP,
        )

    def _request(self, attempt: Attempt, *, logprobs: bool = False) -> GenerateRequest:
        self.asked += 1
        return GenerateRequest(
            id=f"trial-{self.asked}",
            messages=attempt.messages,
            tools=attempt.tools,
            thinking=Thinking(enabled=True) if attempt.thinks else Thinking(),
            sampling=Sampling(temperature=0, max_tokens=attempt.tokens_max, top_logprobs=0 if logprobs else None),
        )


def _likeness(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
