"""A GGUF model on the device: takes step plans, gives tokens."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from paddock.engine.step import Row, RowResult, StepPlan, StepResult
from paddock.runner.choosing import Choice
from paddock.runner.executor import Constraint, LoadedModel, Memory
from paddock.runner.llamacpp.cache import Cache
from paddock.runner.llamacpp.device import Device
from paddock.runner.llamacpp.pictures import Pictures
from paddock.runner.llamacpp.sampling import choose
from paddock.runner.llamacpp.weights import Weights
from paddock.runner.masks import MaskMaker
from paddock.runner.prompts import Look
from paddock.runner.sequences import Running, begin_sequence
from paddock.runner.usage import WorkNotes
from paddock.vocabulary import Sampling

_BROKEN: Final = "the model produced numbers that are none (NaN or infinite)"
_WARM_UP: Final = "paddock.warm-up"


class LlamaExecutor:
    """The runner's Executor. Belongs to the thread that made it."""

    def __init__(
        self, weights: Weights, cache: Cache, device: Device, model: LoadedModel, pictures: Pictures | None = None
    ) -> None:
        self._weights = weights
        self._cache: Cache | None = cache
        self._device = device
        self._pictures = pictures
        self._model = model
        self._running: dict[str, Running] = {}
        self._notes = WorkNotes()
        self._masks = MaskMaker(model.vocabulary)
        self._note_cache(cache)

    @property
    def model(self) -> LoadedModel:
        return self._model

    def begin(
        self,
        sequence_id: str,
        tokens: Sequence[int],
        sampling: Sampling,
        *,
        prompt_tokens: int | None = None,
        constraint: Constraint | None = None,
        looks: Sequence[Look] = (),
    ) -> None:
        """See Executor. Raises UsageError for tokens that the model does not have."""
        running = begin_sequence(
            sequence_id, tokens, sampling, prompt_tokens=prompt_tokens, vocabulary=self._model.vocabulary
        )
        if constraint is not None:
            constraint.restart(tokens[prompt_tokens if prompt_tokens is not None else len(tokens) :])
            running.constraint = constraint
        if self._pictures is not None:
            self._pictures.begin(sequence_id, looks)
        self._running[sequence_id] = running

    def put(self, sequence_id: str, tokens: Sequence[int]) -> None:
        """See Executor."""
        self._running[sequence_id].wrote(tokens)

    def end(self, sequence_id: str) -> None:
        """See Executor. What lies in its slot stays until the slot is given to another."""
        self._running.pop(sequence_id, None)
        if self._pictures is not None:
            self._pictures.end(sequence_id)

    def step(self, plan: StepPlan) -> StepResult:
        started = time.perf_counter()
        cache = self._open_cache
        if plan.cut is not None:
            cache.cut(plan.cut)
            self._note_cache(cache)
        for source, target in plan.copies:
            cache.copy(source, target)
        results = self._feed(cache, plan)
        self._notes.step(plan)
        return StepResult(number=plan.number, rows=tuple(results), elapsed_s=time.perf_counter() - started)

    def warm(self, prefill_tokens: int, tokens: int) -> None:
        """Run a prompt and some tokens through the model once. Uses the first slot; nothing may be running."""
        assert not self._running, "warming up writes over the slots of whoever runs"
        cache = self._open_cache
        count = max(1, min(prefill_tokens, cache.window - tokens - 1))
        prompt = tuple(position % self._model.vocabulary for position in range(count))
        self.begin(_WARM_UP, prompt, Sampling(temperature=0.0))
        row = Row(sequence_id=_WARM_UP, tokens=prompt, start=0, blocks=(0,), samples=True)
        for number in range(max(1, tokens)):
            result = self.step(StepPlan(number=number, rows=(row,)))
            row = replace(row, tokens=result.rows[0].tokens or (0,), start=row.end)
        self.end(_WARM_UP)

    def memory(self) -> Memory:
        return self._notes.told(active_bytes=self._device.active_bytes(), peak_bytes=self._device.peak_bytes())

    def close(self) -> None:
        """Give the device's memory back. Idempotent."""
        self._running.clear()
        self._masks.close()
        if self._cache is not None:
            self._cache.close()
            self._cache = None
            if self._pictures is not None:
                self._pictures.close()
            self._weights.free()

    @property
    def _open_cache(self) -> Cache:
        assert self._cache is not None, "the executor is closed"
        return self._cache

    def _note_cache(self, cache: Cache) -> None:
        self._notes.cache(cache.slots * cache.window * self._model.bytes_per_token)

    def _feed(self, cache: Cache, plan: StepPlan) -> list[RowResult]:
        planned = [self._running[row.sequence_id].without_misfits(row) for row in plan.rows]
        rows = [row for row in planned if row.samples]
        # Masks depend on what has come, not on what the model says now: both are worked out at the same time.
        masks = self._masks.begin([(self._running[row.sequence_id].constraint, _guesses(row)) for row in rows])
        try:
            logits = cache.feed(planned) if self._pictures is None else self._pictures.feed(cache, planned)
        finally:
            allowed = masks.finish() if masks is not None else None
        wishes = [self._running[row.sequence_id].wishes(row.end - row.drafted, _guesses(row)) for row in rows]
        choices = iter(choose(logits, [wish for each in wishes for wish in each], allowed))
        return [self._verified(row, [next(choices) for _ in each]) for row, each in zip(rows, wishes, strict=True)]

    def _verified(self, row: Row, choices: Sequence[Choice]) -> RowResult:
        """The guesses that are what was chosen, and one token more."""
        running = self._running[row.sequence_id]
        kept: list[Choice] = []
        for choice, guess in zip(choices, (*_guesses(row), None), strict=True):
            if choice.broken:
                return RowResult(sequence_id=row.sequence_id, tokens=(), error=_BROKEN)
            kept.append(choice)
            if choice.token != guess:
                break
        if running.constraint is not None and running.constraint.failure is not None:
            return RowResult(sequence_id=row.sequence_id, tokens=(), error=running.constraint.failure)
        tokens = tuple(choice.token for choice in kept)
        running.wrote(tokens)
        logprobs = tuple(choice.logprobs for choice in kept) if kept[0].logprobs != () else ()
        return RowResult(sequence_id=row.sequence_id, tokens=tokens, logprobs=logprobs)


def _guesses(row: Row) -> tuple[int, ...]:
    return row.tokens[len(row.tokens) - row.drafted :]
