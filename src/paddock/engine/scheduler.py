"""The scheduler: sequences in, step plans out, step results in, outcomes out.

    submit ─► queue ─► running ─► schedule() ─► StepPlan ─► executor ─► StepResult ─► update() ─► Outcomes
                ▲         │
                └─preempt─┘

Randomness: each sequence draws from a stream that is a function of its own seed and of the position of the token drawn, of
nothing else. So its text does not depend on who shares its steps, on preemption, on chunking, or on guesses.
"""

from collections.abc import Callable
from dataclasses import dataclass

from paddock.engine.blocks import BlockPool
from paddock.engine.limits import Limits
from paddock.engine.outcome import Failure, Outcome
from paddock.engine.pace import Pace
from paddock.engine.paging import Paging
from paddock.engine.planning import PagedPlanner, Planner
from paddock.engine.prefix import PrefixIndex
from paddock.engine.roster import Roster
from paddock.engine.sequence import Sequence, SequenceState
from paddock.engine.slot_planner import SlotPlanner
from paddock.engine.solo import SoloPlanner
from paddock.engine.speculation import Drafter, Speculation
from paddock.engine.step import Row, RowResult, StepPlan, StepResult
from paddock.errors import PaddockError, PromptTooLong, UsageError
from paddock.vocabulary import FinishReason, TokenLogprob


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerStats:
    """A look at the engine; counts are since it started."""

    waiting: int
    running: int
    steps: int
    tokens: int  # given out
    prefix_hit_tokens: int
    preemptions: int
    drafted_tokens: int
    accepted_tokens: int
    blocks_used: int
    blocks_cached: int
    blocks_total: int


@dataclass(slots=True)
class _Flight:
    """A plan that the executor has, and whom it is about. Ids may be reused meanwhile; sequences are not."""

    plan: StepPlan
    sequences: tuple[Sequence, ...]
    prefill_tokens: int


class Scheduler:
    """Not thread-safe; one owner calls `schedule`, runs the plan, and calls `update` (or `abandon`), in turn.

    `submit` and `cancel` may come at any time, also between the two. As long as any sequence has not ended, `schedule`
    returns a plan.
    """

    def __init__(
        self,
        limits: Limits,
        block_pool: BlockPool | None,
        prefix: PrefixIndex | None,
        clock: Callable[[], float],
        *,
        drafter: Drafter | None = None,
    ) -> None:
        """`block_pool` and `prefix` are given exactly when `limits.pages`. `drafter`: who guesses ahead, if anybody."""
        self._limits = limits
        self._clock = clock
        self._pool = block_pool
        self._roster = Roster(limits, clock)
        self._pace = Pace(limits)
        may_guess = limits.pages or (limits.slots is not None and limits.slots.trims)
        self._speculation = Speculation(drafter if may_guess and limits.draft_tokens_max else None, limits)
        self._planner: Planner
        self.context_window = limits.context_window  # prompt and answer together; less when the pool is smaller
        if limits.pages:
            assert block_pool is not None, "a model that pages has blocks"
            assert prefix is not None, "a model that pages has an index"
            paging = Paging(block_pool, prefix, wait_s=limits.shared_prefix_wait_s)
            self._planner = PagedPlanner(limits, self._roster, paging, self._pace, self._speculation)
            self.context_window = min(limits.context_window, block_pool.block_count * block_pool.block_tokens)
        elif limits.slots is not None:
            self._planner = SlotPlanner(limits, self._roster, self._pace, self._speculation)
            self.context_window = min(limits.context_window, limits.slots.tokens_max)
        else:
            self._planner = SoloPlanner(limits, self._roster, self._pace)
        self._sequences: dict[str, Sequence] = {}
        self._flight: _Flight | None = None
        self._submitted = self._steps = self._tokens = self._hits = self._drafted = self._accepted = 0

    def submit(self, sequence: Sequence) -> bool:
        """Queue it. False when the queue is full. Raises UsageError when its id is taken or the pool is too small for it."""
        if sequence.id in self._sequences:
            raise UsageError(
                f"Request `{sequence.id}` is running already.", hint="Give every request an id of its own."
            )
        if len(sequence.tokens) >= self.context_window:
            raise PromptTooLong(
                f"The prompt has {len(sequence.tokens)} tokens; the cache of this model has room for {self.context_window}, "
                "answer included.",
                hint="Shorten the prompt, or give the model more memory.",
            )
        sequence.number = self._submitted
        if not self._roster.queue.push(sequence, self._clock()):
            return False
        self._submitted += 1
        self._sequences[sequence.id] = sequence
        return True

    def cancel(self, sequence_id: str) -> Outcome | None:
        """End it now, wherever it is. None when it has ended already or was never here."""
        sequence = self._sequences.get(sequence_id)
        return self._end(sequence, FinishReason.CANCELLED) if sequence else None

    def finish(self, sequence_id: str) -> Outcome | None:
        """End it now as stopped: the caller found a stop string in its text. None when it has ended already."""
        sequence = self._sequences.get(sequence_id)
        return self._end(sequence, FinishReason.STOP) if sequence else None

    def put(self, sequence_id: str, tokens: tuple[int, ...]) -> Outcome:
        """Go on with `tokens`, which nobody sampled. Between `update` and `schedule`, for a sequence that has not ended.

        They are fed like a prompt's, and none of them ends the answer.
        """
        assert self._flight is None, "a step is under way"
        sequence = self._sequences[sequence_id]
        assert not sequence.may_guess, "guesses may have run past this place"
        room = self.context_window - len(sequence.tokens)
        if sequence.sampling.max_tokens is not None:
            room = min(room, sequence.sampling.max_tokens - sequence.output_length)
        kept = tokens[:room]
        sequence.tokens.extend(kept)
        self._tokens += len(kept)
        certain = tuple((TokenLogprob(token_id=token, logprob=0.0),) for token in kept)
        logprobs = certain if sequence.sampling.top_logprobs is not None else ()
        if len(kept) == room:
            return self._end(sequence, FinishReason.LENGTH, tokens=kept, logprobs=logprobs)
        return Outcome(sequence_id=sequence.id, tokens=kept, logprobs=logprobs)

    def let_guess(self, sequence_id: str) -> None:
        """Nothing will be put into it any more."""
        self._sequences[sequence_id].may_guess = True

    def schedule(self) -> StepPlan | None:
        """The next step; None when there is nothing to do. Each plan is answered by `update` or `abandon`."""
        assert self._flight is None, "a step is under way"
        planned = self._planner.plan()
        if not planned:
            return None
        self._steps += 1
        begins, ends = self._roster.take_changes()
        rows = planned.rows
        plan = StepPlan(number=self._steps, rows=rows, copies=planned.copies, cut=planned.cut, ends=ends, begins=begins)
        self._hits += sum(each.cached_tokens for each in map(self._sequences.__getitem__, begins) if not each.preempted)
        sequences = tuple(self._sequences[row.sequence_id] for row in rows)
        prefill = sum(len(row.tokens) for row in rows if not _decodes(row))
        self._flight = _Flight(plan, sequences, prefill)
        return plan

    def update(self, result: StepResult) -> list[Outcome]:
        """What the step meant, one outcome a sequence. Ends whose deadline has passed, too, those that wait included."""
        flight, self._flight = self._flight, None
        assert flight is not None, "no step is under way"
        assert flight.plan.number == result.number, f"step {flight.plan.number} is answered by {result.number}"
        rows = flight.plan.rows
        answers = iter(result.rows)
        outcomes: dict[str, Outcome] = {}
        for row, sequence in zip(rows, flight.sequences, strict=True):
            answer = next(answers) if row.samples else None
            # It may have been cancelled while the step ran.
            if sequence.state is SequenceState.RUNNING and (
                outcome := self._apply(sequence, row, answer, result.elapsed_s)
            ):
                outcomes[sequence.id] = outcome
        decoding = sum(1 for row in rows if _decodes(row))
        self._pace.learn(decode_rows=decoding, prefill_tokens=flight.prefill_tokens, elapsed_s=result.elapsed_s)
        for late in self._expired():
            brought = outcomes.get(late.id, Outcome(sequence_id=late.id))
            outcomes[late.id] = self._end(
                late,
                FinishReason.ERROR,
                tokens=brought.tokens,
                logprobs=brought.logprobs,
                failure=_deadline_passed(late.id),
            )
        return list(outcomes.values())

    def abandon(self, error: PaddockError) -> list[Outcome]:
        """The step under way failed as a whole: everybody in it ends with this error, the others go on."""
        flight, self._flight = self._flight, None
        assert flight is not None, "no step is under way"
        failure = Failure(error.code, error.message, error.hint)
        return [
            self._end(sequence, FinishReason.ERROR, failure=failure)
            for sequence in flight.sequences
            if sequence.state is SequenceState.RUNNING
        ]

    @property
    def is_idle(self) -> bool:
        return not self._sequences

    def stats(self) -> SchedulerStats:
        pool, slots = self._pool, self._limits.slots
        used = total = 0
        if pool is not None:
            used, total = pool.used, pool.block_count
        elif slots is not None:
            used, total = len(self._roster.running), slots.slots_max
        return SchedulerStats(
            waiting=len(self._roster.queue),
            running=len(self._roster.running),
            steps=self._steps,
            tokens=self._tokens,
            prefix_hit_tokens=self._hits,
            preemptions=self._roster.preemptions,
            drafted_tokens=self._drafted,
            accepted_tokens=self._accepted,
            blocks_used=used,
            blocks_cached=pool.cached if pool else 0,
            blocks_total=total,
        )

    def check(self) -> None:
        """Raises AssertionError when anything held does not add up. Cheap enough to call whenever the engine goes idle."""
        self._planner.check()
        queue, running = self._roster.queue, self._roster.running
        for sequence in self._sequences.values():
            waits, runs = sequence.id in queue, sequence.id in running
            assert (waits, runs) != (False, False), f"{sequence.id} neither waits nor runs"
            assert waits != runs, f"{sequence.id} both waits and runs"
        assert len(queue) + len(running) == len(self._sequences), "somebody waits or runs who has ended"

    def _apply(self, sequence: Sequence, row: Row, answer: RowResult | None, elapsed_s: float) -> Outcome | None:
        if answer is not None:
            assert answer.sequence_id == sequence.id, f"the row of {sequence.id} is answered for {answer.sequence_id}"
            if answer.error is not None:
                return self._end(sequence, FinishReason.ERROR, failure=_row_failed(sequence.id, answer.error))
        if answer is None:
            sequence.computed = row.end
            self._planner.advanced(sequence, elapsed_s)
            return None
        accepted = len(answer.tokens) - 1
        guesses = row.tokens[len(row.tokens) - row.drafted :]
        assert 0 <= accepted <= row.drafted, f"{len(answer.tokens)} tokens for {row.drafted} guesses"
        assert answer.tokens[:-1] == guesses[:accepted], f"{answer.tokens} does not follow from the guesses {guesses}"
        self._speculation.learn(sequence, row.drafted, accepted)
        self._drafted += row.drafted
        self._accepted += accepted
        kept, reason = self._take(sequence, answer.tokens)
        # Rejected guesses, and those behind the end, have left keys and values behind: they do not count as computed.
        sequence.computed = min(row.end - row.drafted + accepted, len(sequence.tokens))
        self._planner.advanced(sequence, elapsed_s)
        self._tokens += kept
        tokens, logprobs = answer.tokens[:kept], answer.logprobs[:kept]
        if reason is None:
            first = sequence.output_length == kept
            return Outcome(
                sequence_id=sequence.id, tokens=tokens, logprobs=logprobs, usage=sequence.usage if first else None
            )
        return self._end(sequence, reason, tokens=tokens, logprobs=logprobs)

    def _take(self, sequence: Sequence, tokens: tuple[int, ...]) -> tuple[int, FinishReason | None]:
        """Append tokens until one ends the sequence. Returns how many, and why it ends."""
        max_tokens = sequence.sampling.max_tokens
        for count, token in enumerate(tokens, start=1):
            assert 0 <= token < self._limits.vocabulary, f"the executor sampled token {token}"
            sequence.tokens.append(token)
            if token in sequence.stop_tokens:
                return count, FinishReason.STOP
            if sequence.output_length == max_tokens or len(sequence.tokens) >= self.context_window:
                return count, FinishReason.LENGTH
        return len(tokens), None

    def _expired(self) -> list[Sequence]:
        now = self._clock()
        return [each for each in self._sequences.values() if each.deadline is not None and each.deadline <= now]

    def _end(
        self,
        sequence: Sequence,
        reason: FinishReason,
        *,
        tokens: tuple[int, ...] = (),
        logprobs: tuple[tuple[TokenLogprob, ...], ...] = (),
        failure: Failure | None = None,
    ) -> Outcome:
        del self._sequences[sequence.id]
        self._roster.end(sequence)
        # In a step that is under way, or has failed, nobody knows what its unfilled block holds.
        flying = self._flight is not None and sequence in self._flight.sequences
        self._planner.release(sequence, keep_tail=failure is None and not flying)
        self._speculation.forget(sequence.id)
        stopped = reason is FinishReason.STOP and bool(tokens)
        return Outcome(
            sequence_id=sequence.id,
            tokens=tokens,
            logprobs=logprobs,
            finish_reason=reason,
            stop_token=tokens[-1] if stopped else None,
            usage=sequence.usage,
            failure=failure,
        )


def _deadline_passed(sequence_id: str) -> Failure:
    return Failure(
        "deadline_passed",
        f"Request `{sequence_id}` did not end before its deadline.",
        "Allow more time, ask for fewer tokens, or give it a higher priority.",
    )


def _row_failed(sequence_id: str, what: str) -> Failure:
    return Failure(
        "generation_failed",
        f"Request `{sequence_id}` failed in the model: {what}",
        "Other requests are not affected. Change its sampling settings or its prompt.",
    )


def _decodes(row: Row) -> bool:
    return row.samples and len(row.tokens) == 1 + row.drafted
