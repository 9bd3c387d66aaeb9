"""The engine's scheduler around a real executor, without a process between."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from paddock.engine.blocks import BlockPool
from paddock.engine.limits import Limits
from paddock.engine.prefix import PrefixIndex
from paddock.engine.scheduler import Scheduler
from paddock.engine.sequence import new_sequence
from paddock.engine.speculation import Drafter
from paddock.runner.executor import Constraint
from paddock.runner.mlx.executor import MlxExecutor
from paddock.runner.opening import Sight
from paddock.runner.prompts import Look, Prompt
from paddock.vocabulary import FinishReason, Priority, Sampling, TokenLogprob

GREEDY = Sampling(temperature=0.0, ignore_end=True)


@dataclass
class Answer:
    tokens: list[int]
    logprobs: list[tuple[TokenLogprob, ...]]
    error: str | None = None
    ended: FinishReason | None = None
    cached_tokens: int = 0
    accepted_tokens: int = 0


class Driver:
    """Submits, steps, collects. Time stands still: nothing depends on how fast this machine is."""

    def __init__(
        self,
        executor: MlxExecutor,
        *,
        blocks: int | None = None,
        batch_max: int = 64,
        drafter: Drafter | None = None,
        prefill: int = 48,
        sight: Sight | None = None,
    ) -> None:
        model = executor.model
        limits = Limits(
            vocabulary=model.vocabulary,
            context_window=model.context_window,
            end_token_ids=model.end_token_ids,
            pages=model.pages,
            batch_max=batch_max,
            # Prompts come in chunks of this many tokens, whatever a step takes here.
            step_tokens_max=prefill,
            prefill_tokens_first=prefill,
        )
        self.executor = executor
        self._sight = sight
        self._looks: dict[str, tuple[Look, ...]] = {}
        self.answers: dict[str, Answer] = {}
        self._numbers = count()
        if model.pages:
            pool = BlockPool(blocks or model.block_count, model.block_tokens)
            self.scheduler = Scheduler(limits, pool, PrefixIndex(pool), lambda: 0.0, drafter=drafter)
        else:
            self.scheduler = Scheduler(limits, None, None, lambda: 0.0)
        self._limits = limits
        self._sequences = {}
        self._constraints: dict[str, Constraint | None] = {}

    def submit(
        self,
        prompt: Sequence[int] | Prompt,
        sampling: Sampling,
        *,
        name: str | None = None,
        priority: Priority = Priority.NORMAL,
        constraint: Constraint | None = None,
    ) -> str:
        number = next(self._numbers)
        name = name or f"request-{number}"
        prompt = prompt if isinstance(prompt, Prompt) else Prompt(prompt)
        sequence = new_sequence(
            name,
            prompt.tokens,
            sampling,
            limits=self._limits,
            arrival=number,
            draw_seed=lambda: number,
            priority=priority,
            names=prompt.names,
        )
        if prompt.looks:
            assert self._sight is not None
            assert self._sight.hold(name, prompt.looks)
            while not self._sight.see(name):
                pass
            self._looks[name] = prompt.looks
        assert self.scheduler.submit(sequence)
        self._sequences[name] = sequence
        self._constraints[name] = constraint
        self.answers[name] = Answer([], [])
        return name

    def step(self) -> bool:
        plan = self.scheduler.schedule()
        if plan is None:
            return False
        for name in plan.ends:
            self.executor.end(name)
        for name in plan.begins:
            sequence = self._sequences[name]
            self.executor.begin(
                name,
                sequence.tokens,
                sequence.sampling,
                prompt_tokens=sequence.prompt_length,
                constraint=self._constraints[name],
                looks=self._looks.get(name, ()),
            )
        for outcome in self.scheduler.update(self.executor.step(plan)):
            answer = self.answers[outcome.sequence_id]
            answer.tokens += outcome.tokens
            answer.logprobs += outcome.logprobs
            if outcome.finish_reason is not None:
                self.executor.end(outcome.sequence_id)
                if self._sight is not None:
                    self._sight.forget(outcome.sequence_id)
                answer.ended = outcome.finish_reason
                answer.error = outcome.failure.message if outcome.failure else None
                if outcome.usage:
                    answer.cached_tokens = outcome.usage.cached_tokens
                    answer.accepted_tokens = outcome.usage.accepted_tokens
        return True

    def finish(self) -> None:
        while self.step():
            pass
        self.scheduler.check()

    def ask(self, prompt: Sequence[int] | Prompt, sampling: Sampling) -> Answer:
        name = self.submit(prompt, sampling)
        self.finish()
        return self.answers[name]
