"""A model on the device: takes step plans, gives tokens."""

import gc
import time
from collections.abc import Sequence
from dataclasses import replace

import mlx.core as mx

from paddock.engine.step import Row, RowResult, StepPlan, StepResult
from paddock.runner.choosing import Choice
from paddock.runner.executor import Constraint, LoadedModel, Memory
from paddock.runner.masks import MaskMaker
from paddock.runner.mlx.lane import Lane
from paddock.runner.mlx.sampling import choose
from paddock.runner.mlx.seam import begin_evaluating
from paddock.runner.mlx.usage import memory
from paddock.runner.mlx.vision.column import Pictures
from paddock.runner.prompts import Look
from paddock.runner.sequences import Running, begin_sequence
from paddock.runner.usage import WorkNotes
from paddock.vocabulary import Sampling

_BROKEN = "the model produced numbers that are none (NaN or infinite)"
_WARM_UP = "paddock.warm-up"


class MlxExecutor:
    """The runner's Executor. Belongs to the thread that made it."""

    def __init__(self, lane: Lane, model: LoadedModel, pictures: Pictures | None = None) -> None:
        self._lane: Lane | None = lane
        self._pictures = pictures
        self._model = model
        self._running: dict[str, Running] = {}
        self._notes = WorkNotes()
        self._masks = MaskMaker(model.vocabulary)

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
        """A sequence is about to appear in plans. Raises UsageError for tokens that the model does not have.

        `prompt_tokens`: how many of `tokens` are its prompt (None: all of them). Penalties on what was written must not
        count the prompt, nor forget the output when a sequence begins again.
        """
        self._running[sequence_id] = begin_sequence(
            sequence_id, tokens, sampling, prompt_tokens=prompt_tokens, vocabulary=self._model.vocabulary
        )
        if self._pictures is not None:
            self._pictures.begin(sequence_id, tokens[:prompt_tokens], looks)
        if constraint is not None:
            constraint.restart(tokens[prompt_tokens if prompt_tokens is not None else len(tokens) :])
            self._running[sequence_id].constraint = constraint

    def put(self, sequence_id: str, tokens: Sequence[int]) -> None:
        """See Executor."""
        self._running[sequence_id].wrote(tokens)

    def end(self, sequence_id: str) -> None:
        self._running.pop(sequence_id, None)
        if self._pictures is not None:
            self._pictures.end(sequence_id)
        if self._lane is not None:
            self._notes.cache(self._lane.bytes)  # until it ends, nothing in a lane gets smaller
            self._lane.end(sequence_id)

    def step(self, plan: StepPlan) -> StepResult:
        started = time.perf_counter()
        lane = self._open_lane
        results = self._feed(lane, plan)
        lane.settle()
        self._notes.step(plan)
        return StepResult(number=plan.number, rows=tuple(results), elapsed_s=time.perf_counter() - started)

    def warm(self, prefill_tokens: int, tokens: int) -> None:
        """Run a prompt and some tokens through the model once. Uses the first blocks; nothing may be running."""
        assert not self._running, "warming up writes over the blocks of whoever runs"
        count = max(1, min(prefill_tokens, self._model.context_window - tokens - 1))
        blocks = tuple(range(-(-(count + tokens) // self._model.block_tokens))) if self._model.pages else ()
        prompt = tuple(position % self._model.vocabulary for position in range(count))
        self.begin(_WARM_UP, prompt, Sampling(temperature=0.0))
        row = Row(sequence_id=_WARM_UP, tokens=prompt, start=0, blocks=blocks, samples=True)
        for number in range(max(1, tokens)):
            result = self.step(StepPlan(number=number, rows=(row,)))
            row = replace(row, tokens=result.rows[0].tokens or (0,), start=row.end)
        self.end(_WARM_UP)

    def memory(self) -> Memory:
        if self._lane is not None:
            self._notes.cache(self._lane.bytes)
        return memory(self._notes)

    def close(self) -> None:
        """Give the device's memory back. Idempotent."""
        self._running.clear()
        self._masks.close()
        self._lane = None
        gc.collect()  # model code has cycles, and weights hang in them
        mx.clear_cache()

    @property
    def _open_lane(self) -> Lane:
        assert self._lane is not None, "the executor is closed"
        return self._lane

    def _feed(self, lane: Lane, plan: StepPlan) -> list[RowResult]:
        planned = [self._running[row.sequence_id].without_misfits(row) for row in plan.rows]
        rows = [row for row in planned if row.samples]
        # Masks depend on what has come, not on what the model says now: both are worked out at the same time.
        masks = self._masks.begin([(self._running[row.sequence_id].constraint, _guesses(row)) for row in rows])
        logits = lane.forward(planned, plan.copies)
        if logits is None:
            return []
        if masks is not None:
            begin_evaluating(logits)
        wishes = [self._running[row.sequence_id].wishes(row.end - row.drafted, _guesses(row)) for row in rows]
        allowed = masks.finish() if masks is not None else None
        choices = iter(choose(logits, [wish for each in wishes for wish in each], allowed))
        return [self._verified(row, [next(choices) for _ in each]) for row, each in zip(rows, wishes, strict=True)]

    def _verified(self, row: Row, choices: Sequence[Choice]) -> RowResult:
        """The guesses that are what was chosen, and one token more."""
        running = self._running[row.sequence_id]
        kept: list[Choice] = []
        for choice, guess in zip(choices, (*_guesses(row), None), strict=True):
            if choice.broken:
                self._open_lane.taint(row.blocks)
                return RowResult(sequence_id=row.sequence_id, tokens=(), error=_BROKEN)
            kept.append(choice)
            if choice.token != guess:
                break
        if running.constraint is not None and running.constraint.failure is not None:
            return RowResult(sequence_id=row.sequence_id, tokens=(), error=running.constraint.failure)
        tokens = tuple(choice.token for choice in kept)
        running.wrote(tokens)
        asked = kept[0].logprobs != ()
        logprobs = tuple(choice.logprobs for choice in kept) if asked else ()
        return RowResult(sequence_id=row.sequence_id, tokens=tokens, logprobs=logprobs)


def _guesses(row: Row) -> tuple[int, ...]:
    return row.tokens[len(row.tokens) - row.drafted :]
