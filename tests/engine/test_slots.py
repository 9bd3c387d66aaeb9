"""A cache that is cut into slots: what is found again, what is copied, and how it is cut for whoever is there."""

import random
from dataclasses import dataclass, field

from paddock.engine.limits import Limits, SlotBounds
from paddock.engine.scheduler import Scheduler
from paddock.engine.sequence import new_sequence
from paddock.engine.slots import Layout, common_prefix, layout_for
from paddock.engine.step import RowResult, StepPlan, StepResult
from paddock.vocabulary import FinishReason, Priority, Sampling

VOCABULARY = 50


def next_token(tokens: list[int]) -> int:
    """A model: a function of all that went before."""
    return 1 + hash(tuple(tokens)) % (VOCABULARY - 1)


@dataclass
class Engine:
    """A scheduler, and a device that knows of every slot which tokens lie in it."""

    bounds: SlotBounds
    window: int = 4096
    batch_max: int = 16
    now: float = 0.0
    content: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    layout: Layout | None = None
    fed: int = 0
    cuts: int = 0
    outputs: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    cached: dict[str, int] = field(default_factory=dict[str, int])
    ends: dict[str, FinishReason] = field(default_factory=dict[str, FinishReason])

    def __post_init__(self) -> None:
        self.layout = Layout(self.bounds.count, self.bounds.window)
        self.limits = Limits(
            vocabulary=VOCABULARY, context_window=self.window, pages=False, slots=self.bounds, batch_max=self.batch_max
        )
        self.scheduler = Scheduler(self.limits, None, None, lambda: self.now)

    def submit(
        self, name: str, prompt: list[int], count: int, *, tenant: str = "", priority: Priority = Priority.NORMAL
    ) -> None:
        sequence = new_sequence(
            name,
            prompt,
            Sampling(temperature=0, max_tokens=count),
            limits=self.limits,
            arrival=self.now,
            draw_seed=lambda: 1,
            tenant=tenant,
            priority=priority,
        )
        assert self.scheduler.submit(sequence)
        self.outputs[name] = []

    def run(self, steps: int = 10_000) -> None:
        for _ in range(steps):
            if self.scheduler.is_idle:
                self.scheduler.check()
                return
            self.step()
        assert steps < 10_000, "it does not end"

    def step(self) -> StepPlan:
        plan = self.scheduler.schedule()
        assert plan is not None
        if plan.cut is not None:
            self.cuts += 1
            self.layout = Layout(plan.cut.slots, plan.cut.window)
            assert self.layout.tokens <= self.bounds.tokens_max
            assert self.layout.slots <= self.bounds.slots_max
            self.content = {new: self.content[old] for old, new in plan.cut.moves}
        for source, target in plan.copies:
            self.content[target] = list(self.content[source])
        assert self.layout is not None
        results: list[RowResult] = []
        for row in plan.rows:
            (slot,) = row.blocks
            assert 0 <= slot < self.layout.slots
            held = self.content.get(slot, [])
            assert self.bounds.trims or row.start in (0, len(held)), "what cannot be wound back is not"
            self.content[slot] = [*held[: row.start], *row.tokens]
            assert len(held[: row.start]) == row.start, f"slot {slot} lacks what {row.sequence_id} builds on"
            assert len(self.content[slot]) <= self.layout.window
            self.fed += len(row.tokens)
            if row.samples:
                results.append(RowResult(sequence_id=row.sequence_id, tokens=(next_token(self.content[slot]),)))
        for outcome in self.scheduler.update(StepResult(number=plan.number, rows=tuple(results), elapsed_s=0.01)):
            self.outputs[outcome.sequence_id] += outcome.tokens
            if outcome.finish_reason is not None:
                assert outcome.usage is not None
                self.ends[outcome.sequence_id] = outcome.finish_reason
                self.cached[outcome.sequence_id] = outcome.usage.cached_tokens
        self.now += 0.01
        self.scheduler.check()
        return plan


def expected(prompt: list[int], count: int) -> list[int]:
    tokens = list(prompt)
    for _ in range(count):
        tokens.append(next_token(tokens))
    return tokens[len(prompt) :]


def bounds(**more: int | bool) -> SlotBounds:
    return SlotBounds(**({"count": 4, "window": 512, "slots_max": 16, "tokens_max": 8192} | more))  # pyright: ignore[reportArgumentType] (a mix of kinds)


def test_a_conversation_goes_on_where_it_lies() -> None:
    """The usual case: the whole last turn is the beginning of the next. Nothing is copied, nothing computed twice."""
    engine = Engine(bounds())
    prompt = [1 + number % 40 for number in range(200)]
    engine.submit("first", prompt, 5)
    engine.run()
    engine.submit("second", [*prompt, *engine.outputs["first"], 7, 8], 5)
    engine.run()
    assert engine.cached["second"] == 204
    assert engine.outputs["second"] == expected([*prompt, *engine.outputs["first"], 7, 8], 5)


def test_a_beginning_that_another_is_computing_is_waited_for_and_copied() -> None:
    """A burst with one system prompt reads it once."""
    engine = Engine(bounds())
    system = [1 + number % 40 for number in range(300)]
    for number in range(6):
        engine.submit(f"{number}", [*system, 41 + number], 4)
    engine.run()
    assert [engine.cached[f"{number}"] for number in range(6)] == [0, 300, 300, 300, 300, 300]
    assert all(engine.outputs[f"{number}"] == expected([*system, 41 + number], 4) for number in range(6))
    assert engine.fed < 2 * len(system)


def test_tenants_find_nothing_of_each_other() -> None:
    engine = Engine(bounds())
    for tenant in ("one", "other"):
        engine.submit(tenant, [3] * 100, 2, tenant=tenant)
        engine.run()
    assert engine.cached == {"one": 0, "other": 0}


def test_the_cache_is_cut_for_whoever_is_there() -> None:
    """Many short ones at once, then one that needs nearly all of it."""
    engine = Engine(bounds(tokens_max=8192))
    for number in range(16):
        engine.submit(f"short {number}", [1 + number] * 40, 20)
    engine.step()
    assert engine.layout == Layout(16, 512)
    engine.run()
    engine.submit("long", [9] * 3000, 10)
    engine.step()
    assert engine.layout is not None
    assert engine.layout.window >= 3000
    engine.run()
    assert engine.outputs["long"] == expected([9] * 3000, 10)


def test_one_that_grows_over_its_slot_gets_a_wider_one() -> None:
    """And those beside it leave when there is no room for all, and come back with the same words."""
    engine = Engine(bounds(count=2, tokens_max=1024), window=1024)
    engine.submit("grows", [5] * 300, 600)
    engine.submit("beside", [6] * 300, 500)
    engine.run()
    assert engine.outputs["grows"] == expected([5] * 300, 600)
    assert engine.outputs["beside"] == expected([6] * 300, 500)


def test_the_urgent_go_first_when_all_places_are_taken() -> None:
    engine = Engine(bounds(count=1, slots_max=1), batch_max=1)
    engine.submit("slow", [5] * 10, 50, priority=Priority.LOW)
    engine.run(5)
    engine.submit("urgent", [6] * 10, 5, priority=Priority.HIGH)
    while "urgent" not in engine.ends:
        engine.step()
    assert "slow" not in engine.ends
    engine.run()
    assert engine.outputs["slow"] == expected([5] * 10, 50)


def test_states_that_cannot_be_wound_back_are_used_whole_or_not_at_all() -> None:
    """Recurrent models: a beginning helps only when it is all that was read."""
    engine = Engine(bounds(trims=False, moves=False))
    engine.submit("first", [1, 2, 3, 4], 3)
    engine.run()
    whole = [1, 2, 3, 4, *engine.outputs["first"][:-1]]
    engine.submit("apart", [1, 2, 9, 9], 3)
    engine.run()
    assert engine.cached["apart"] == 0
    engine.submit("on", [*whole, 5], 3)
    engine.run()
    assert engine.cached["on"] == len(whole)
    assert engine.outputs["on"] == expected([*whole, 5], 3)


def test_whatever_comes_every_answer_is_what_it_is_alone() -> None:
    """Random arrivals, lengths, classes, cancellations, over caches of every kind."""
    for seed in range(60):
        dice = random.Random(seed)
        kind = dice.choice([{}, {"trims": False, "moves": False}, {"moves": False}])
        engine = Engine(
            bounds(
                count=1 << dice.randrange(3), window=512, slots_max=dice.choice([1, 3, 16]), tokens_max=2048, **kind
            ),
            window=dice.choice([600, 2048]),
        )
        wanted: dict[str, tuple[list[int], int]] = {}
        for number in range(dice.randint(1, 14)):
            prompt = [1 + dice.randrange(3)] * dice.choice([3, 50, 300]) + [1 + dice.randrange(49)] * dice.randint(
                1, 200
            )
            count = dice.choice([1, 5, 90])
            wanted[f"{number}"] = prompt, count
            priority = dice.choice(list(Priority))
            engine.submit(f"{number}", prompt, count, tenant=dice.choice(["", "other"]), priority=priority)
            engine.run(dice.choice([0, 1, 4]))
            if dice.random() < 0.1 and engine.scheduler.cancel(f"{number}") is not None:
                del wanted[f"{number}"]
        engine.run()
        for name, (prompt, count) in wanted.items():
            length = min(count, engine.scheduler.context_window - len(prompt))
            assert engine.outputs[name] == expected(prompt, length), f"seed {seed}, request {name}"


def test_a_cut_fits_those_it_is_made_for() -> None:
    for count in range(1, 17):
        for longest in (1, 500, 513, 2000, 4000):
            cut = layout_for(count, longest, tokens_max=10_000, window_max=4096, slots_max=16)
            if count * longest <= 10_000:
                assert cut is not None
                assert cut.slots >= count
                assert cut.window >= longest
                assert cut.tokens <= 10_000
            else:
                assert cut is None


def test_common_beginnings_are_measured_exactly() -> None:
    dice = random.Random(1)
    for _ in range(200):
        one = [dice.randrange(2) for _ in range(dice.randrange(40))]
        other = [*one[: dice.randrange(40)], *(dice.randrange(2) for _ in range(10))]
        slow = next(
            (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
            min(len(one), len(other)),
        )
        assert common_prefix(one, other, 25) == min(slow, 25)
