"""The engine under everything that can happen to it at once, against a cache that knows what each slot must hold."""

import os
import random
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from paddock.engine.blocks import BlockPool
from paddock.engine.limits import Limits
from paddock.engine.outcome import Outcome
from paddock.engine.prefix import PrefixIndex
from paddock.engine.queue import WaitingQueue
from paddock.engine.scheduler import Scheduler
from paddock.engine.sequence import new_sequence
from paddock.engine.speculation import Drafter, DraftWish, NgramDrafter
from paddock.errors import RunnerCrashed
from paddock.vocabulary import FinishReason, Priority, Sampling
from tests.engine.simulated import END, VOCABULARY, SimulatedExecutor, a_sequence, reference

# Prompts are cut from a few texts, so that they share prefixes of every length, within a block and across.
TEXTS = [[1 + (place * step) % 29 for place in range(40)] for step in (1, 3)]


class WildDrafter:
    """Guesses at random, tokens that do not exist included: bad guesses must cost time only."""

    def __init__(self) -> None:
        self._random = random.Random(5)

    def propose(self, wishes: Sequence[DraftWish]) -> list[tuple[int, ...]]:
        return [tuple(self._random.randrange(-1, VOCABULARY + 1) for _ in range(wish.count)) for wish in wishes]

    def forget(self, sequence_id: str) -> None: ...


def a_drafter(name: str) -> Drafter | None:
    return {"none": None, "ngram": NgramDrafter(), "wild": WildDrafter()}[name]


class Engine(RuleBasedStateMachine):
    """Submit, step, cancel, fail, expire, in any order, in pools too small for comfort."""

    @initialize(
        pages=st.sampled_from([True, True, True, False]),
        positions=st.integers(12, 40),  # of cache, for contexts of 28
        block_tokens=st.sampled_from([1, 2, 4, 5]),
        batch_max=st.integers(1, 5),
        drafter=st.sampled_from(["none", "ngram", "wild"]),
        prefill_tokens=st.integers(1, 12),
    )
    def start(
        self, pages: bool, positions: int, block_tokens: int, batch_max: int, drafter: str, prefill_tokens: int
    ) -> None:
        self.now = 0.0
        self.limits = Limits(
            vocabulary=VOCABULARY,
            context_window=28,
            end_token_ids=frozenset({END}),
            pages=pages,
            batch_max=batch_max,
            queue_max=6,
            ageing_s=3.0,
            prefill_tokens_min=min(2, prefill_tokens),
            prefill_tokens_first=prefill_tokens,
            step_tokens_max=prefill_tokens,
            shared_prefix_wait_s=0.5,
        )
        self.pool = BlockPool(positions // block_tokens, block_tokens) if pages else None
        prefix = PrefixIndex(self.pool, key=b"test") if self.pool else None
        self.scheduler = Scheduler(self.limits, self.pool, prefix, lambda: self.now, drafter=a_drafter(drafter))
        self.requests: dict[str, tuple[str, Sampling]] = {}
        self.executor = SimulatedExecutor(self.pool, self.requests)
        self.prompts: dict[str, list[int]] = {}
        self.deadlines: dict[str, float] = {}
        self.outputs: dict[str, list[int]] = {}
        self.ended: dict[str, Outcome] = {}
        self.abandoned: set[str] = set()

    @rule(
        again=st.integers(1, 3),
        text=st.sampled_from(TEXTS),
        length=st.integers(1, 20),
        own=st.integers(0, 2),
        tenant=st.sampled_from(["", "", "x"]),
        priority=st.sampled_from(Priority),
        max_tokens=st.sampled_from([None, None, 1, 2, 5, 12]),
        seed=st.integers(0, 5),
        stops=st.lists(st.integers(1, VOCABULARY - 1), max_size=1),
        patience=st.sampled_from([None, None, None, None, None, 2.0]),
    )
    def submit(self, again, text, length, own, tenant, priority, max_tokens, seed, stops, patience) -> None:
        """Up to three alike at once: a burst with one system prompt."""
        prompt = [*text[:length], *([30] * own)]
        sampling = Sampling(seed=seed, max_tokens=max_tokens, stop_token_ids=tuple(stops))
        if len(prompt) < self.scheduler.context_window:
            for _ in range(again):
                self._submit(prompt, sampling, tenant, priority, patience)

    @rule(elapsed_s=st.sampled_from([0.001, 0.01, 0.3]))
    def step(self, elapsed_s: float) -> None:
        plan = self.scheduler.schedule()
        assert (plan is None) == self.scheduler.is_idle, "there is a step exactly when there is work"
        if plan is None:
            return
        self.executor.elapsed_s = elapsed_s
        result = self.executor.step(plan)
        self.now += elapsed_s
        self._take(self.scheduler.update(result))

    @rule(steps=st.integers(2, 8), elapsed_s=st.sampled_from([0.001, 0.01, 0.3]))
    def steps(self, steps: int, elapsed_s: float) -> None:
        for _ in range(steps):
            self.step(elapsed_s)
            self.scheduler.check()

    @precondition(lambda self: not self.scheduler.is_idle)
    @rule(
        kind=st.sampled_from(["cancel", "cancel_in_flight", "cancel_in_a_failing_step", "failing_step", "poison"]),
        data=st.data(),
    )
    def trouble(self, kind: str, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self._alive()))
        if kind == "cancel":
            return self._cancel(name)
        if kind == "poison":
            return self.executor.poisoned.add(name)
        plan = self.scheduler.schedule()
        assert plan
        if kind == "cancel_in_flight":
            result = self.executor.step(plan)
            self._cancel(name)
            return self._take(self.scheduler.update(result))
        self.executor.prepare(plan)
        if kind == "cancel_in_a_failing_step":
            self._cancel(name)
        return self._fail(plan.rows)

    @rule(seconds=st.sampled_from([0.1, 0.6, 4.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def everything_adds_up(self) -> None:
        """No block leaks, none is held and free, references are those of the tables, names are those of the blocks."""
        if hasattr(self, "scheduler"):
            self.scheduler.check()

    def teardown(self) -> None:
        if not hasattr(self, "scheduler"):
            return
        for _ in range(3000):
            if self.scheduler.is_idle:
                break
            self.step(0.01)
        assert self.scheduler.is_idle, "everything ends"
        assert set(self.ended) == set(self.prompts), "everybody is told"
        for name in self.prompts:
            self._check_output(name)
        if self.pool:
            self.pool.check([])
            assert self.pool.used == 0, "all blocks came back"

    def _submit(self, prompt, sampling, tenant, priority, patience) -> None:
        name = f"s{len(self.prompts)}"
        sequence = new_sequence(
            name,
            prompt,
            sampling,
            limits=self.limits,
            arrival=self.now,
            draw_seed=lambda: 1,
            priority=priority,
            tenant=tenant,
            deadline=None if patience is None else self.now + patience,
        )
        if not self.scheduler.submit(sequence):
            assert self.scheduler.stats().waiting >= self.limits.queue_max, "only a full queue refuses"
            return
        self.requests[name] = (tenant, sampling)
        self.prompts[name] = prompt
        self.outputs[name] = []
        if patience is not None:
            self.deadlines[name] = self.now + patience
        self.executor.submit(name, prompt)

    def _alive(self) -> list[str]:
        return [name for name in self.prompts if name not in self.ended]

    def _cancel(self, name: str) -> None:
        outcome = self.scheduler.cancel(name)
        assert outcome is not None
        assert self.scheduler.cancel(name) is None, "an end comes once"
        self._take([outcome])

    def _fail(self, rows) -> None:
        named = {row.sequence_id for row in rows} - set(self.ended)
        outcomes = self.scheduler.abandon(RunnerCrashed("The device is gone.", hint="Try again."))
        assert {outcome.sequence_id for outcome in outcomes} == named, "a failed step ends its own sequences, no others"
        self.abandoned |= named
        self._take(outcomes)

    def _take(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            name = outcome.sequence_id
            assert name not in self.ended, "nothing comes after the end"
            self.outputs[name] += outcome.tokens
            if outcome.finish_reason is not None:
                self.ended[name] = outcome
                self.executor.end(name)

    def _check_output(self, name: str) -> None:
        owner, sampling = self.requests[name]
        expected, reason = reference(owner, self.prompts[name], sampling, self.scheduler.context_window)
        outcome, output = self.ended[name], self.outputs[name]
        assert output == expected[: len(output)], f"{name} says something else than it says alone"
        assert outcome.usage is not None
        assert outcome.usage.completion_tokens == len(output)
        assert 0 <= outcome.usage.cached_tokens < len(self.prompts[name])
        assert 0 <= outcome.usage.accepted_tokens <= outcome.usage.drafted_tokens
        if outcome.finish_reason in (FinishReason.STOP, FinishReason.LENGTH):
            assert (output, outcome.finish_reason) == (expected, reason)
            assert outcome.stop_token == (output[-1] if reason is FinishReason.STOP else None)
        if outcome.finish_reason is FinishReason.ERROR:
            assert outcome.failure is not None
            late = outcome.failure.code == "deadline_passed"
            assert late or name in self.executor.poisoned or name in self.abandoned
            assert not late or self.deadlines[name] <= self.now


EXAMPLES = 3000 if os.environ.get("PADDOCK_SOAK") else 150
Engine.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=60, deadline=None)
TestEngine = Engine.TestCase


def everything_said(prompts: list[list[int]], *, drafter: str, budget: int, blocks: int) -> list[tuple[int, ...]]:
    limits = Limits(
        vocabulary=VOCABULARY,
        context_window=60,
        batch_max=4,
        prefill_tokens_min=1,
        prefill_tokens_first=budget,
        step_tokens_max=budget,
    )
    pool = BlockPool(blocks, 4)
    scheduler = Scheduler(limits, pool, PrefixIndex(pool, key=b"k"), lambda: 0.0, drafter=a_drafter(drafter))
    requests: dict[str, tuple[str, Sampling]] = {}
    executor = SimulatedExecutor(pool, requests)
    said: dict[str, tuple[int, ...]] = {}
    for index, prompt in enumerate(prompts):
        sequence = a_sequence(str(index), prompt, limits, seed=index, max_tokens=20)
        requests[sequence.id] = ("", sequence.sampling)
        executor.submit(sequence.id, prompt)
        said[sequence.id] = ()
        assert scheduler.submit(sequence)
    while plan := scheduler.schedule():
        for outcome in scheduler.update(executor.step(plan)):
            said[outcome.sequence_id] += outcome.tokens
            if outcome.finish_reason:
                executor.end(outcome.sequence_id)
    return list(said.values())


@settings(max_examples=60, deadline=None)
@given(
    prompts=st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=30), min_size=1, max_size=5),
    drafter=st.sampled_from(["ngram", "wild"]),
    budget=st.integers(1, 40),
    blocks=st.integers(15, 40),
)
def test_guesses_chunks_and_small_pools_change_nothing(prompts, drafter, budget, blocks) -> None:
    """They decide when a token is computed, never which."""
    plain = everything_said(prompts, drafter="none", budget=1000, blocks=200)
    assert everything_said(prompts, drafter=drafter, budget=budget, blocks=blocks) == plain


@settings(max_examples=100, deadline=None)
@given(
    arrivals=st.lists(st.tuples(st.floats(0, 10), st.sampled_from(Priority), st.booleans()), min_size=1, max_size=12),
    later=st.floats(0, 40),
)
def test_the_queue_respects_class_age_and_arrival(arrivals, later) -> None:
    """Of two in one class the earlier goes first; nobody waits longer than two ageing times behind a higher class."""
    limits = Limits(vocabulary=VOCABULARY, context_window=16)
    queue = WaitingQueue(newcomers_max=100, ageing_s=5.0)
    for number, (arrival, priority, preempted) in enumerate(sorted(arrivals, key=lambda each: each[0])):
        sequence = a_sequence(str(number), [1], limits, arrival=arrival, priority=priority)
        sequence.number, sequence.preempted = number, preempted
        assert queue.push(sequence, arrival)
    now = 10 + later
    order = queue.in_order(now)
    for first, second in pairwise(order):
        assert first.level <= second.level
        if first.level == second.level and first.preempted == second.preempted:
            assert first.arrival <= second.arrival
    for sequence in order:
        classes_up = int((now - sequence.arrival) / 5.0)
        assert sequence.level == max(0, sequence.priority - classes_up)
