"""The life of the thread that owns the device: take what came, plan a step, run it, tell what it brought.

    inbox ─► Submit, Cancel ─► scheduler ─► plan ─► executor ─► result ─► scheduler ─► outcomes ─► text ─► one Step

With nothing to do it waits for the inbox, which costs nothing. With a server that does not read it waits for the server.
"""

import itertools
import secrets
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from paddock.engine.blocks import BlockPool
from paddock.engine.limits import Limits
from paddock.engine.outcome import Outcome
from paddock.engine.prefix import PrefixIndex
from paddock.engine.scheduler import Scheduler
from paddock.engine.sequence import Sequence, new_sequence
from paddock.engine.speculation import NgramDrafter
from paddock.engine.step import StepPlan
from paddock.errors import Overloaded, PaddockError, UsageError
from paddock.runner.channel import RunnerChannel
from paddock.runner.drafters import choose_drafter
from paddock.runner.executor import Constraint, Memory
from paddock.runner.guidance import Guidance
from paddock.runner.inbox import Inbox, Incoming, Ready
from paddock.runner.kinds import no_vectors
from paddock.runner.messages import (
    Cancel,
    Count,
    Counted,
    Done,
    Embed,
    Numbers,
    Rerank,
    Shutdown,
    Step,
    Submit,
    Warm,
    refused,
)
from paddock.runner.notices import Notices, where
from paddock.runner.opening import LoadOptions, OpenedModel
from paddock.runner.prompts import Look, Prompt, read_prompt
from paddock.runner.pulse import Pulse
from paddock.runner.seeing import Checked, Seeing
from paddock.runner.telling import Telling
from paddock.vocabulary import GenerateRequest

_MEMORY_EVERY_S: Final = 1.0
_CHECK_EVERY_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request on its way to the scheduler."""

    request: GenerateRequest
    prompt: Prompt
    arrival: float
    ticket: int


class Loop:
    """One runner's work. `run` returns when the server says Shutdown.

    Raises OSError when the server is gone, and whatever breaks in a step: the runner cannot go on then.
    """

    def __init__(
        self,
        *,
        channel: RunnerChannel,
        inbox: Inbox,
        pulse: Pulse,
        opened: OpenedModel,
        options: LoadOptions,
        clock: Callable[[], float] = time.monotonic,
        draw_seed: Callable[[], int] = lambda: secrets.randbits(63),
    ) -> None:
        self._channel = channel
        self._inbox = inbox
        self._pulse = pulse
        self._executor = opened.executor
        self._opened = opened
        self._options = options
        self._clock = clock
        self._draw_seed = draw_seed
        self._limits = _limits(opened, options)
        self._notices = Notices(channel)
        self._scheduler = _scheduler(opened, options, self._limits, clock, self._draft_broke)
        self._seeing = Seeing(opened.sight, ageing_s=self._limits.ageing_s, clock=clock)
        self._sequences: dict[str, Sequence] = {}
        self._looks: dict[str, tuple[Look, ...]] = {}  # of those sequences that have pictures
        self._guidance = Guidance(opened.tokenizer, opened.executor.model)
        self._preparing: dict[str, _Asked] = {}  # until it is known what their answers are held to
        self._held: dict[str, Constraint] = {}  # what answers under way are held to
        self._tickets = itertools.count()
        self._telling = Telling(opened.tokenizer)
        self._memory: Memory | None = None
        self._memory_at = -_MEMORY_EVERY_S
        self._checked_at = -_CHECK_EVERY_S
        self._show_numbers()

    def run(self) -> None:
        while True:
            for message in self._inbox.take(wait=self._scheduler.is_idle and not self._seeing):
                if isinstance(message, Shutdown):
                    self._guidance.close()
                    return
                self._heed(message)
            self._look()
            if not self._scheduler.is_idle:
                with self._pulse.busy():
                    self._step()
            self._show_numbers()
            if events := self._telling.take():
                self._channel.send(Step(events))
                self._check()

    def close(self) -> None:
        self._executor.close()

    def _check(self) -> None:
        """Whether everything that is held adds up, when nobody waits for it: it looks at every block."""
        now = self._clock()
        if self._scheduler.is_idle and now - self._checked_at >= _CHECK_EVERY_S:
            self._checked_at = now
            self._scheduler.check()

    # What comes in

    def _heed(self, message: Incoming) -> None:
        match message:
            case Submit(request):
                with self._answering_for(request):
                    self._take_in(request)
            case Ready(request_id, ticket, prepared):
                self._go_on(request_id, ticket, prepared)
            case Cancel(request_id):
                if self._preparing.pop(request_id, None) is not None:
                    self._telling.cancelled(request_id)
                elif request_id in self._seeing:
                    self._seeing.drop(request_id)
                    self._telling.cancelled(request_id)
                elif (outcome := self._scheduler.cancel(request_id)) is not None:
                    self._tell(outcome)
            case Count(call, request):
                self._count(call, request)
            case Warm(call, prefill_tokens, tokens):
                self._warm(call, prefill_tokens, tokens)
            case Embed(call) | Rerank(call):
                self._refuse(call, no_vectors(self._options.name))
            case _:
                raise AssertionError(f"{type(message).__name__} does not belong into the loop")

    @contextmanager
    def _answering_for(self, request: GenerateRequest) -> Generator[None]:
        """Whatever goes wrong in here is told to who asked."""
        try:
            yield
        except PaddockError as error:
            self._telling.refuse(request.id, error)
        except Exception as error:  # noqa: BLE001  (the boundary of one request: what it breaks must not break the others)
            self._telling.refuse(request.id, self._unreadable(request, error))

    def _take_in(self, request: GenerateRequest) -> None:
        asked = _Asked(request, read_prompt(request, self._opened), self._clock(), next(self._tickets))
        wanted = self._guidance.wanted(request, asked.prompt.tokens)
        if wanted is None:
            self._queue(asked, None)
            return
        if request.id in self._preparing:
            raise UsageError(f"Request `{request.id}` is running already.", hint="Give every request an id of its own.")
        if len(self._preparing) >= self._options.queue_max:
            raise self._overloaded()
        ready = partial(Ready, request.id, asked.ticket)
        guide = self._guidance.prepare(wanted, lambda prepared: self._inbox.put(ready(prepared)))
        if guide is not None:
            self._queue(asked, guide)
        else:
            self._preparing[request.id] = asked

    def _go_on(self, request_id: str, ticket: int, prepared: Constraint | Exception) -> None:
        """It is known what an answer is held to, or that it cannot be."""
        asked = self._preparing.get(request_id)
        if asked is None or asked.ticket != ticket:
            return  # whoever asked has left
        del self._preparing[request_id]
        with self._answering_for(asked.request):
            if isinstance(prepared, Exception):
                raise prepared
            self._queue(asked, prepared)

    def _queue(self, asked: _Asked, constraint: Constraint | None) -> None:
        request, prompt = asked.request, asked.prompt
        sequence = new_sequence(
            request.id,
            prompt.tokens,
            request.sampling,
            limits=self._limits,
            arrival=asked.arrival,
            draw_seed=self._draw_seed,
            priority=request.priority,
            tenant=request.tenant,
            deadline=None if request.deadline_s is None else asked.arrival + request.deadline_s,
            may_guess=not self._telling.will_watch(request),
            names=prompt.names,
        )
        checked = Checked(request, prompt, sequence, constraint)
        if not prompt.looks:
            self._submit(checked)
            return
        if request.id in self._seeing or request.id in self._sequences:
            raise UsageError(f"Request `{request.id}` is running already.", hint="Give every request an id of its own.")
        if len(self._seeing) >= self._options.queue_max:
            raise self._overloaded()
        self._seeing.wait(checked)

    def _look(self) -> None:
        """Look at one picture, and let the request go on for which it was the last."""
        checked = self._seeing.next
        if checked is None:
            return
        with self._answering_for(checked.request):
            try:
                with self._pulse.busy():
                    seen = self._seeing.look(checked)
                if seen:
                    self._submit(checked)
            except BaseException:
                self._seeing.drop(checked.request.id)
                raise

    def _submit(self, checked: Checked) -> None:
        request, sequence = checked.request, checked.sequence
        if not self._scheduler.submit(sequence):
            raise self._overloaded()
        try:
            self._telling.begin(request, checked.prompt.tokens)
        except BaseException:
            self._scheduler.cancel(request.id)  # else it would go on, with nobody to tell of it
            raise
        self._sequences[request.id] = sequence
        if checked.prompt.looks:
            self._looks[request.id] = checked.prompt.looks
        if checked.constraint is not None:
            self._held[request.id] = checked.constraint

    def _overloaded(self) -> Overloaded:
        return Overloaded(
            f"{self._options.queue_max} requests wait for `{self._options.name}` already.",
            hint="Try again in a moment.",
        )

    def _count(self, call: int, request: GenerateRequest) -> None:
        try:
            tokens = len(read_prompt(request, self._opened).tokens)
        except PaddockError as error:
            self._refuse(call, error)
        except Exception as error:  # noqa: BLE001  (the boundary of one request: what it breaks must not break the others)
            self._refuse(call, self._unreadable(request, error))
        else:
            self._channel.send(Counted(call, tokens))

    def _unreadable(self, request: GenerateRequest, error: Exception) -> UsageError:
        self._notices.tell("request_unreadable", (request.id,), error=where(error))
        return UsageError(
            f"The request cannot be read by this model: {type(error).__name__}.",
            hint="Check its messages and template options.",
        )

    def _warm(self, call: int, prefill_tokens: int, tokens: int) -> None:
        try:
            with self._pulse.busy():
                self._executor.warm(prefill_tokens, tokens)
        except PaddockError as error:
            self._refuse(call, error)
        else:
            self._show_numbers()  # whoever asks next sees what it took
            self._channel.send(Done(call))

    def _refuse(self, call: int, error: PaddockError) -> None:
        self._channel.send(refused(call, error))

    # What goes on

    def _step(self) -> None:
        plan = self._scheduler.schedule()
        assert plan is not None, "whoever has not ended is in a plan"
        for outcome in self._run(plan):
            self._tell(outcome)

    def _run(self, plan: StepPlan) -> list[Outcome]:
        try:
            for sequence_id in plan.ends:
                self._executor.end(sequence_id)
            for sequence_id in plan.begins:
                sequence = self._sequences[sequence_id]
                self._executor.begin(
                    sequence_id,
                    sequence.tokens,
                    sequence.sampling,
                    prompt_tokens=sequence.prompt_length,
                    constraint=self._held.get(sequence_id),
                    looks=self._looks.get(sequence_id, ()),
                )
            result = self._executor.step(plan)
        except PaddockError as error:  # the executor says that it can go on without these
            self._notices.tell("step_refused", _askers(plan), step=plan.number, error=error.code, reason=error.message)
            return self._scheduler.abandon(error)
        except Exception as error:
            self._notices.tell("step_broke", _askers(plan), step=plan.number, error=where(error))
            raise
        return self._scheduler.update(result)

    def _draft_broke(self, error: Exception) -> None:
        draft = self._options.draft_name or self._options.draft_path or "draft"
        self._notices.tell("draft_off", tuple(self._sequences), draft=draft, error=where(error))

    def _tell(self, outcome: Outcome) -> None:
        if outcome.failure is not None:
            self._notices.tell("request_failed", (outcome.sequence_id,), error=outcome.failure.code)
        if self._telling.tell(outcome):
            finished = self._scheduler.finish(outcome.sequence_id)
            assert finished is not None, "a step has one outcome for it, and this was no end"
            self._tell(finished)
        elif outcome.finish_reason is not None:
            self._executor.end(outcome.sequence_id)
            del self._sequences[outcome.sequence_id]
            self._held.pop(outcome.sequence_id, None)
            if self._looks.pop(outcome.sequence_id, None) is not None:
                self._seeing.drop(outcome.sequence_id)
        elif tokens := self._telling.take_thought_end(outcome.sequence_id):
            put = self._scheduler.put(outcome.sequence_id, tokens)
            self._executor.put(outcome.sequence_id, put.tokens)
            self._tell(put)
        elif not self._telling.watches(outcome.sequence_id):
            self._scheduler.let_guess(outcome.sequence_id)

    def _show_numbers(self) -> None:
        now = self._clock()
        if now - self._memory_at >= _MEMORY_EVERY_S or self._scheduler.is_idle:
            self._memory, self._memory_at = self._executor.memory(), now
        stats = self._scheduler.stats()
        self._pulse.numbers = Numbers(
            waiting=stats.waiting + len(self._seeing),
            running=stats.running,
            steps=stats.steps,
            tokens=stats.tokens,
            prefix_hit_tokens=stats.prefix_hit_tokens,
            blocks_used=stats.blocks_used,
            blocks_total=stats.blocks_total,
            memory=self._memory,
        )


def _limits(opened: OpenedModel, options: LoadOptions) -> Limits:
    model = opened.executor.model
    return Limits(
        vocabulary=model.vocabulary,
        context_window=min(model.context_window, options.context_window or model.context_window),
        end_token_ids=model.end_token_ids,
        pages=model.pages,
        slots=model.slots,
        batch_max=options.batch_max,
        queue_max=options.queue_max,
        step_seconds_max=options.step_seconds_max,
    )


def _askers(plan: StepPlan) -> list[str]:
    return [row.sequence_id for row in plan.rows]


def _scheduler(
    opened: OpenedModel,
    options: LoadOptions,
    limits: Limits,
    clock: Callable[[], float],
    on_broken_draft: Callable[[Exception], None],
) -> Scheduler:
    model = opened.executor.model
    if not model.pages:
        drafter = NgramDrafter() if options.ngram_speculation else None
        return Scheduler(limits, None, None, clock, drafter=drafter)
    pool = BlockPool(model.block_count, model.block_tokens)
    drafter = choose_drafter(opened.drafter, ngrams=options.ngram_speculation, on_broken=on_broken_draft)
    return Scheduler(limits, pool, PrefixIndex(pool), clock, drafter=drafter)
