"""The scheduler, step by step: who runs, on which blocks."""

import pytest

from paddock.engine.blocks import BlockPool
from paddock.engine.limits import Limits
from paddock.engine.outcome import Outcome
from paddock.engine.prefix import PrefixIndex
from paddock.engine.scheduler import Scheduler
from paddock.engine.sequence import new_sequence
from paddock.engine.speculation import DraftWish
from paddock.engine.step import Row, RowResult, StepPlan, StepResult
from paddock.errors import RunnerCrashed, UsageError
from paddock.vocabulary import FinishReason, Priority, Sampling
from tests.engine.simulated import a_sequence


class Guesser:
    """Always guesses 7, 7, 7."""

    def propose(self, wishes: list[DraftWish]) -> list[tuple[int, ...]]:
        return [(7,) * wish.count for wish in wishes]

    def forget(self, sequence_id: str) -> None: ...


class Bench:
    """A scheduler over blocks of four tokens, a clock that stands, a device that takes `elapsed_s` a step."""

    def __init__(self, *, blocks: int = 8, guesses: bool = False, **limits: object) -> None:
        defaults: dict[str, object] = {"prefill_tokens_first": 100, "prefill_tokens_min": 4, "step_tokens_max": 100}
        self.limits = Limits(vocabulary=100, context_window=64, **{**defaults, **limits})  # type: ignore[arg-type]
        self.pool = BlockPool(blocks, 4)
        index = PrefixIndex(self.pool, key=b"key")
        self.now = 0.0
        drafter = Guesser() if guesses else None
        pages = self.limits.pages
        self.scheduler = Scheduler(
            self.limits, self.pool if pages else None, index if pages else None, lambda: self.now, drafter=drafter
        )
        self.outcomes: list[Outcome] = []

    def submit(self, name: str, prompt: list[int], **more: object) -> bool:
        return self.scheduler.submit(a_sequence(name, prompt, self.limits, arrival=self.now, **more))  # type: ignore[arg-type]

    def plan(self) -> StepPlan:
        plan = self.scheduler.schedule()
        assert plan is not None
        return plan

    def answer(self, plan: StepPlan, *, elapsed_s: float = 0.01, **tokens: tuple[int, ...]) -> list[Outcome]:
        """Each row samples what `tokens` says for it, or 50."""
        rows = tuple(
            RowResult(sequence_id=row.sequence_id, tokens=tokens.get(row.sequence_id, (50,)))
            for row in plan.rows
            if row.samples
        )
        outcomes = self.scheduler.update(StepResult(number=plan.number, rows=rows, elapsed_s=elapsed_s))
        self.scheduler.check()
        self.outcomes += outcomes
        return outcomes

    def step(self, *, elapsed_s: float = 0.01, **tokens: tuple[int, ...]) -> StepPlan:
        plan = self.plan()
        self.answer(plan, elapsed_s=elapsed_s, **tokens)
        return plan

    def run(self) -> list[StepPlan]:
        plans: list[StepPlan] = []
        while plan := self.scheduler.schedule():
            plans.append(plan)
            self.answer(plan)
        return plans


def numbers(count: int, start: int = 10) -> list[int]:
    return list(range(start, start + count))


def who(plan: StepPlan) -> list[tuple[str, int]]:
    return [(row.sequence_id, len(row.tokens)) for row in plan.rows]


def test_a_prompt_is_fed_whole_and_then_token_by_token() -> None:
    """The plainest life: one prefill, some decodes, the blocks it needs and no more."""
    bench = Bench()
    bench.submit("a", [1, 2, 3, 4, 5, 6, 7], max_tokens=3)
    first, second, third = bench.run()
    assert first.rows == (Row(sequence_id="a", tokens=(1, 2, 3, 4, 5, 6, 7), start=0, blocks=(0, 1), samples=True),)
    assert (first.begins, first.ends) == (("a",), ())
    assert second.rows == (Row(sequence_id="a", tokens=(50,), start=7, blocks=(0, 1), samples=True),)
    assert third.rows == (Row(sequence_id="a", tokens=(50,), start=8, blocks=(0, 1, 2), samples=True),)
    assert [outcome.tokens for outcome in bench.outcomes] == [(50,)] * 3
    assert bench.outcomes[-1].finish_reason is FinishReason.LENGTH
    assert bench.pool.used == 0
    assert bench.scheduler.is_idle


def test_requests_join_and_leave_at_every_step() -> None:
    """Continuous batching: nobody waits for another's end."""
    bench = Bench()
    bench.submit("a", numbers(5), max_tokens=2)
    assert who(bench.step()) == [("a", 5)]
    bench.submit("b", numbers(5, 40), max_tokens=2)
    assert who(bench.step()) == [("a", 1), ("b", 5)]
    assert who(bench.step()) == [("b", 1)]


def test_a_long_prompt_comes_in_chunks_beside_those_that_decode() -> None:
    """Decode first; a chunk ends where a block ends; only the last samples."""
    bench = Bench(prefill_tokens_first=10, step_tokens_max=10)
    bench.submit("a", numbers(3))
    bench.step()
    bench.submit("b", numbers(21, 40))
    second, third, fourth = bench.step(), bench.step(), bench.step()
    assert who(second) == [("a", 1), ("b", 8)]
    assert [row.samples for row in second.rows] == [True, False]
    # Block 3 went to `a`, which decodes first.
    assert third.rows[1] == Row(
        sequence_id="b", tokens=tuple(numbers(8, 48)), start=8, blocks=(1, 2, 4, 5), samples=False
    )
    assert who(fourth) == [("a", 1), ("b", 5)]
    assert fourth.rows[1].samples


def test_a_long_prompt_leaves_half_of_the_step_to_those_behind_it() -> None:
    """Sixteen thousand tokens must not stand before every short question."""
    bench = Bench(blocks=30, prefill_tokens_first=16, step_tokens_max=16)
    bench.submit("a", numbers(40))
    bench.submit("b", numbers(6, 60))
    assert who(bench.step()) == [("a", 16)]
    assert who(bench.step()) == [("a", 8), ("b", 6)]
    assert who(bench.step()) == [("b", 1), ("a", 16)]


def test_a_step_is_cut_to_the_time_that_streams_can_wait() -> None:
    """10 ms a token and 100 ms a step make ten tokens, less what the decoding row needs."""
    bench = Bench(blocks=40, prefill_tokens_min=2, step_tokens_max=100, prefill_tokens_first=8, step_seconds_max=0.1)
    bench.submit("a", numbers(8))
    bench.step(elapsed_s=0.08)
    bench.step(elapsed_s=0.02)
    bench.submit("b", numbers(60, 30))
    assert who(bench.plan()) == [("a", 1), ("b", 8)]


def test_a_step_with_no_stream_to_hold_up_may_take_longer() -> None:
    """Larger chunks are cheaper, and nobody sees the gap."""
    bench = Bench(blocks=40, prefill_tokens_min=2, prefill_tokens_first=8, step_seconds_max=0.1, step_stretch=4.0)
    bench.submit("a", numbers(60))
    bench.step(elapsed_s=0.08)
    assert who(bench.plan()) == [("a", 40)]


def test_a_burst_with_one_beginning_computes_it_once() -> None:
    """The others wait while the first computes what they share, then start behind it."""
    bench = Bench(blocks=20, prefill_tokens_first=8, step_tokens_max=8)
    shared = numbers(16)
    for name, own in (("a", 60), ("b", 70), ("c", 80)):
        bench.submit(name, [*shared, own, own + 1])
    assert who(bench.step()) == [("a", 8)]
    assert who(bench.step()) == [("a", 8)]
    third = bench.step()
    assert who(third) == [("a", 2), ("b", 2), ("c", 2)]
    assert [row.blocks for row in third.rows] == [(0, 1, 2, 3, 4), (0, 1, 2, 3, 5), (0, 1, 2, 3, 6)]
    bench.run()
    cached = {outcome.sequence_id: outcome.usage.cached_tokens for outcome in bench.outcomes if outcome.usage}
    assert cached == {"a": 0, "b": 16, "c": 16}
    assert bench.scheduler.stats().prefix_hit_tokens == 32


def test_waiting_for_a_shared_prefix_ends_when_its_owner_is_cancelled() -> None:
    """Nobody waits for what nobody computes."""
    bench = Bench(blocks=20, prefill_tokens_first=8, step_tokens_max=8)
    bench.submit("a", numbers(18))
    bench.submit("b", numbers(18))
    assert who(bench.step()) == [("a", 8)]
    bench.scheduler.cancel("a")
    plan = bench.step()
    assert [(row.sequence_id, row.start) for row in plan.rows] == [("b", 8)]


def test_an_exact_prefix_hit_computes_the_last_token_in_a_copy() -> None:
    """The block stays as it is for the others; the last token gives the logits."""
    bench = Bench()
    bench.submit("a", numbers(8), max_tokens=1)
    bench.run()
    bench.submit("b", numbers(8), max_tokens=1)
    plan = bench.step()
    assert plan.copies == ((1, 2),)
    assert plan.rows == (Row(sequence_id="b", tokens=(17,), start=7, blocks=(0, 2), samples=True),)
    assert bench.outcomes[-1].usage is not None
    assert bench.outcomes[-1].usage.cached_tokens == 7


def test_a_conversation_goes_on_in_the_middle_of_a_block_without_a_copy() -> None:
    """What it adds makes the block's name longer; nobody else reads it."""
    bench = Bench()
    bench.submit("a", numbers(5), max_tokens=2)
    bench.run()
    bench.submit("b", [*numbers(5), 50, 61, 62])
    plan = bench.step()
    assert plan.copies == ()
    assert plan.rows == (Row(sequence_id="b", tokens=(61, 62), start=6, blocks=(0, 1), samples=True),)


def test_a_beginning_that_others_hold_is_copied_before_it_is_written() -> None:
    """Two conversations part in the middle of a block."""
    bench = Bench()
    bench.submit("a", numbers(6), max_tokens=20)
    bench.step()
    bench.step()
    bench.step()
    bench.submit("b", [*numbers(6), 77, 78, 79])
    plan = bench.step()
    assert plan.copies == ((1, 4),)
    assert plan.rows[1] == Row(sequence_id="b", tokens=(77, 78, 79), start=6, blocks=(0, 4, 3), samples=True)


def test_tenants_do_not_share() -> None:
    """Not even what is equal: the time it takes would tell."""
    bench = Bench()
    bench.submit("a", numbers(8), tenant="x", max_tokens=1)
    bench.run()
    bench.submit("b", numbers(8), tenant="y")
    assert bench.step().rows[0].start == 0


def test_the_last_in_rank_gives_its_blocks_up_and_resumes_with_the_same_tokens() -> None:
    """Preemption by recompute: its tokens stay, and most of its blocks are still in the index."""
    bench = Bench(blocks=6)
    bench.submit("a", numbers(6), max_tokens=12)
    bench.step()
    bench.submit("b", numbers(6, 40), max_tokens=10)
    plans = bench.run()
    preempted = [plan for plan in plans if plan.ends]
    assert [plan.ends for plan in preempted] == [("b",)]
    again = next(plan for plan in plans if plan.begins == ("b",) and plan is not plans[0])
    (row,) = [row for row in again.rows if row.sequence_id == "b"]
    assert row.tokens[-1] == 50
    assert row.start >= 4, "its first block was still there"
    usage = {outcome.sequence_id: outcome.usage for outcome in bench.outcomes if outcome.usage}
    assert usage["b"].completion_tokens == 10
    assert usage["a"].completion_tokens == 12


def test_a_higher_class_takes_the_place_of_a_lower_one() -> None:
    """A full batch of low requests does not keep a high one waiting; the latest of them leaves."""
    bench = Bench(blocks=20, batch_max=2)
    bench.submit("a", numbers(4), priority=Priority.LOW, max_tokens=9)
    bench.submit("b", numbers(4, 40), priority=Priority.LOW, max_tokens=9)
    bench.step()
    bench.submit("c", numbers(4, 60), priority=Priority.HIGH)
    plan = bench.step()
    assert (plan.ends, plan.begins) == (("b",), ("c",))
    assert who(plan) == [("a", 1), ("c", 4)]


def test_nobody_is_preempted_for_one_of_the_same_class() -> None:
    """It would only turn the two around."""
    bench = Bench(blocks=20, batch_max=1)
    bench.submit("a", numbers(4))
    bench.step()
    bench.submit("b", numbers(4, 40))
    assert who(bench.step()) == [("a", 1)]


def test_a_low_request_gets_its_turn_however_many_others_come() -> None:
    """Ageing: after two ageing times it is as good as a high one, and the earliest."""
    bench = Bench(batch_max=1, ageing_s=5.0)
    bench.submit("low", numbers(4), priority=Priority.LOW, max_tokens=1)
    for index in range(20):
        bench.submit(f"high{index}", [60 + index], priority=Priority.HIGH, max_tokens=1)
    order: list[str] = []
    while not bench.scheduler.is_idle:
        bench.now += 1.0
        order += bench.step().begins
    assert order.index("low") == 9


@pytest.mark.parametrize(
    ("sampled", "reason", "stop_token"),
    [((2,), FinishReason.STOP, 2), ((9,), FinishReason.STOP, 9)],
)
def test_end_tokens_and_stop_tokens_end_a_sequence(
    sampled: tuple[int, ...], reason: FinishReason, stop_token: int
) -> None:
    """Told apart from text, so that they are not shown."""
    bench = Bench(end_token_ids=frozenset({2}))
    sampling = Sampling(seed=1, stop_token_ids=(9,))
    sequence = new_sequence("a", [1], sampling, limits=bench.limits, arrival=0, draw_seed=lambda: 1)
    bench.scheduler.submit(sequence)
    (outcome,) = bench.answer(bench.plan(), a=sampled)
    assert (outcome.finish_reason, outcome.stop_token, outcome.tokens) == (reason, stop_token, sampled)


def test_a_full_context_ends_with_length() -> None:
    """The context counts prompt and answer; so does a pool that is smaller than the context."""
    bench = Bench(blocks=4)
    assert bench.scheduler.context_window == 16
    bench.submit("a", numbers(10), max_tokens=None)
    bench.run()
    assert bench.outcomes[-1].finish_reason is FinishReason.LENGTH
    assert bench.outcomes[-1].usage is not None
    assert bench.outcomes[-1].usage.completion_tokens == 6


def test_a_prompt_that_the_pool_cannot_hold_is_refused_with_both_numbers() -> None:
    """It could wait for ever otherwise."""
    bench = Bench(blocks=4)
    with pytest.raises(UsageError, match="16 tokens; the cache of this model has room for 16"):
        bench.submit("a", numbers(16))


def test_an_id_that_is_in_use_is_refused() -> None:
    """Two answers under one name would be mixed."""
    bench = Bench()
    bench.submit("a", [1])
    with pytest.raises(UsageError, match="`a`"):
        bench.submit("a", [1])


def test_a_full_queue_refuses_and_says_so() -> None:
    """The caller makes the error, it knows the names."""
    bench = Bench(queue_max=1)
    assert bench.submit("a", [1])
    assert not bench.submit("b", [1])
    assert bench.scheduler.cancel("b") is None


def test_right_guesses_make_several_tokens_a_step() -> None:
    """One more comes free with the last guess that was right."""
    bench = Bench(guesses=True, draft_tokens_max=3)
    bench.submit("a", numbers(3), max_tokens=20)
    bench.step(a=(7,))
    plan = bench.step(a=(7, 7, 8))
    assert plan.rows == (Row(sequence_id="a", tokens=(7, 7, 7, 7), start=3, blocks=(0, 1), samples=True, drafted=3),)
    assert bench.outcomes[-1].tokens == (7, 7, 8)
    row = bench.step(a=(9,)).rows[0]
    assert (row.start, row.tokens[0]) == (6, 8), "the third guess was wrong: its position is computed again"


def test_guesses_end_where_the_answer_ends() -> None:
    """A guess that cannot become a token is wasted; tokens behind an end are dropped."""
    bench = Bench(guesses=True, draft_tokens_max=4)
    bench.submit("a", numbers(3), max_tokens=4)
    bench.step()
    plan = bench.step(a=(7, 7, 9))
    assert plan.rows[0].drafted == 2
    assert bench.outcomes[-1].finish_reason is FinishReason.LENGTH

    bench = Bench(guesses=True, draft_tokens_max=4, end_token_ids=frozenset({7}))
    sampling = Sampling(seed=1, max_tokens=20)
    bench.scheduler.submit(new_sequence("b", [1, 2], sampling, limits=bench.limits, arrival=0, draw_seed=lambda: 1))
    bench.step()
    bench.step(b=(7, 7, 7))
    assert bench.outcomes[-1].tokens == (7,)
    assert bench.outcomes[-1].finish_reason is FinishReason.STOP
    assert bench.scheduler.stats().blocks_used == 0


def test_cancel_comes_back_at_once_and_gives_all_blocks_back() -> None:
    """In the queue, in a prompt, between tokens, during a step."""
    bench = Bench(batch_max=1, prefill_tokens_first=4, step_tokens_max=4)
    bench.submit("a", numbers(12))
    bench.submit("b", numbers(12, 40))
    plan = bench.plan()
    for name in ("b", "a"):
        outcome = bench.scheduler.cancel(name)
        assert outcome is not None
        assert outcome.finish_reason is FinishReason.CANCELLED
    assert bench.answer(plan) == []
    assert bench.pool.used == 0
    assert bench.scheduler.schedule() is None


def test_a_stop_string_found_outside_ends_it_as_stopped() -> None:
    """Who sees the text finds the string; the engine sees tokens only."""
    bench = Bench()
    bench.submit("a", numbers(3))
    bench.step()
    outcome = bench.scheduler.finish("a")
    assert outcome is not None
    assert outcome.finish_reason is FinishReason.STOP
    assert outcome.stop_token is None
    assert bench.scheduler.finish("a") is None


def test_a_deadline_ends_who_runs_and_who_waits() -> None:
    """With what there is so far, and an error that says why."""
    bench = Bench(batch_max=1)
    bench.submit("a", numbers(3), deadline=5.0)
    bench.submit("b", numbers(3), deadline=5.0)
    bench.submit("c", numbers(3))
    plan = bench.plan()
    bench.now = 5.0
    late = bench.answer(plan)
    # One outcome each: whoever reads them may let go of a sequence at the first.
    assert [(outcome.sequence_id, outcome.tokens) for outcome in late] == [("a", (50,)), ("b", ())]
    assert {outcome.finish_reason for outcome in late} == {FinishReason.ERROR}
    assert late[0].failure is not None
    assert late[0].failure.code == "deadline_passed"
    assert who(bench.step()) == [("c", 3)]


def test_a_poisoned_request_fails_alone() -> None:
    """One bad request never touches another."""
    bench = Bench()
    bench.submit("a", numbers(3))
    bench.submit("b", numbers(3, 40))
    plan = bench.plan()
    rows = (
        RowResult(sequence_id="a", tokens=(), error="not finite"),
        RowResult(sequence_id="b", tokens=(50,)),
    )
    bad, good = bench.scheduler.update(StepResult(number=plan.number, rows=rows, elapsed_s=0.01))
    assert bad.failure is not None
    assert "not finite" in bad.failure.message
    assert (good.tokens, good.finish_reason) == ((50,), None)


def test_a_failed_step_ends_those_in_it_and_nobody_else() -> None:
    """Those that waited go on."""
    bench = Bench(batch_max=1)
    bench.submit("a", numbers(3))
    bench.submit("b", numbers(3))
    bench.plan()
    (outcome,) = bench.scheduler.abandon(RunnerCrashed("The device is gone.", hint="Load the model again."))
    assert outcome.sequence_id == "a"
    assert outcome.failure is not None
    assert (outcome.failure.code, outcome.failure.hint) == ("runner_crashed", "Load the model again.")
    plan = bench.step()
    assert [(row.sequence_id, row.start) for row in plan.rows] == [("b", 0)], "what the failed step wrote is not used"


@pytest.mark.parametrize("cancelled_meanwhile", [False, True])
def test_a_copy_that_was_never_made_is_not_found_by_others(cancelled_meanwhile: bool) -> None:
    """A failed step may have copied nothing: the block that it copied to must not be taken for what it should hold."""
    bench = Bench()
    bench.submit("a", numbers(8), max_tokens=1)
    bench.run()
    bench.submit("b", numbers(8), max_tokens=1)
    assert bench.plan().copies == ((1, 2),)
    if cancelled_meanwhile:
        bench.scheduler.cancel("b")
    bench.scheduler.abandon(RunnerCrashed("The device is gone.", hint="Load the model again."))
    bench.submit("c", numbers(7))
    assert bench.plan().copies == ((1, 2),), "copied from what `a` computed, not from what `b` did not"


def test_the_solo_lane_runs_one_sequence_a_step_and_takes_turns_by_time() -> None:
    """Models that cannot page still answer several at once."""
    bench = Bench(pages=False, solo_slice_s=0.02, prefill_tokens_first=4, step_tokens_max=4)
    bench.submit("a", numbers(6), max_tokens=6)
    bench.submit("b", numbers(2, 40), max_tokens=4)
    plans = bench.run()
    assert all(len(plan.rows) == 1 and plan.rows[0].blocks == () for plan in plans)
    # A normal turn is two slices of 20 ms, and a step takes 10.
    assert "".join(plan.rows[0].sequence_id for plan in plans) == "aaaabbbbaaa"
    assert [len(plan.rows[0].tokens) for plan in plans[:3]] == [4, 2, 1]
    assert plans[0].begins == ("a", "b")


def test_in_the_solo_lane_a_higher_class_gets_longer_turns_and_a_place() -> None:
    """Four slices for HIGH, one for LOW; a full lane makes way."""
    bench = Bench(pages=False, solo_slice_s=0.01, batch_max=2)
    bench.submit("a", [1], priority=Priority.LOW, max_tokens=6)
    bench.submit("b", [1], priority=Priority.LOW, max_tokens=6)
    bench.step()
    bench.submit("c", [1], priority=Priority.HIGH, max_tokens=6)
    plans = bench.run()
    assert (plans[0].ends, plans[0].begins) == (("b",), ("c",))
    assert "".join(plan.rows[0].sequence_id for plan in plans[:6]) == "ccccac"
    assert {outcome.sequence_id for outcome in bench.outcomes if outcome.finish_reason} == {"a", "b", "c"}


def test_stats_count_what_happened() -> None:
    """What `ps` and the metrics show."""
    bench = Bench(guesses=True, draft_tokens_max=2)
    bench.submit("a", numbers(5), max_tokens=4)
    bench.submit("b", numbers(5), max_tokens=4)
    bench.step()
    stats = bench.scheduler.stats()
    assert (stats.running, stats.waiting, stats.steps, stats.tokens) == (1, 1, 1, 1)
    assert (stats.blocks_used, stats.blocks_total) == (2, 8)
    bench.step(a=(7, 9))
    stats = bench.scheduler.stats()
    assert (stats.drafted_tokens, stats.accepted_tokens, stats.prefix_hit_tokens) == (2, 1, 4)
