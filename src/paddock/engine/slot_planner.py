"""Many sequences a step, each in a slot of its own that holds it whole: for engines whose cache is cut into equal parts.

How it is cut follows from who is there: many short sequences get many narrow slots, one long one gets a wide one. Cutting
anew costs a copy of what is in use, so it is done only when somebody does not fit otherwise.
"""

from collections.abc import Callable
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass

from paddock.engine.limits import Limits
from paddock.engine.pace import Pace
from paddock.engine.paging import Copies
from paddock.engine.planning import PlannedRows
from paddock.engine.roster import Roster
from paddock.engine.sequence import Sequence, SequenceState
from paddock.engine.slots import Layout, Slots, common_prefix, layout_for
from paddock.engine.speculation import Speculation
from paddock.engine.step import Cut, Row

_SPARE = 256  # tokens of an answer that a new cut leaves room for
_WORTH_WAITING = 64  # tokens of a common beginning that another is computing


@dataclass(slots=True)
class _Wait:
    """For a beginning that another sequence is computing; not longer than it grows."""

    computing: Sequence
    common: int  # tokens that both begin with
    seen: int  # how far it was
    since: float


class SlotPlanner:
    """Who goes first is `Sequence.rank`; who goes last leaves when there is no room. Everything ends: the first in rank can
    always have the whole cache, and those that wait age until they are among the first."""

    def __init__(self, limits: Limits, roster: Roster, pace: Pace, speculation: Speculation) -> None:
        assert limits.slots is not None, "a cache that is cut has slots"
        self._limits = limits
        self._bounds = limits.slots
        self._roster = roster
        self._pace = pace
        self._speculation = speculation
        self.slots = Slots(Layout(self._bounds.count, self._bounds.window), trims=self._bounds.trims)
        self._waits: dict[str, _Wait] = {}
        self._seated: set[str] = set()  # those that have a slot
        self._impatient: set[str] = set()  # waited once in vain, and will not wait again

    def plan(self) -> PlannedRows:
        planned = PlannedRows()
        planned.cut = self._make_room()
        decoding = [each for each in self._roster.by_rank() if each.pending == 1]
        prompts = [each for each in self._roster.by_rank() if each.pending > 1]
        asking = len(prompts) + len(self._roster.queue)
        budget = self._pace.prefill_budget(len(decoding), alone=not decoding, prompts=asking)
        copies = self._let_in(budget - sum(each.pending for each in prompts))
        guesses = self._speculation.guesses(decoding, self._limits.context_window)
        rows = [self._row(each, 1, guesses.get(each.id, ())) for each in decoding]
        prompts = [each for each in self._roster.by_rank() if each not in decoding]
        for index, sequence in enumerate(prompts):
            count = self._chunk(sequence, budget, others=index + 1 < len(prompts))
            if count <= 0:
                break
            budget -= count
            rows.append(self._row(sequence, count))
        for row in rows:
            planned.add(row, copies)  # all of them, in their order, with whichever row comes first
            copies = ()
        return planned

    def advanced(self, sequence: Sequence, elapsed_s: float) -> None:
        pass

    def release(self, sequence: Sequence, *, keep_tail: bool) -> None:
        self._forget_waiting(sequence)
        if sequence.id in self._seated:
            self._seated.discard(sequence.id)
            self.slots.take_back(sequence, keep=keep_tail)
        sequence.computed = 0

    def check(self) -> None:
        self.slots.check(list(self._roster.running.values()))

    # Rows.

    def _row(self, sequence: Sequence, count: int, drafted: tuple[int, ...] = ()) -> Row:
        start = sequence.computed
        end = start + count
        return Row(
            sequence_id=sequence.id,
            tokens=(*sequence.tokens[start:end], *drafted),
            start=start,
            blocks=(self.slots.of(sequence).number,),
            samples=end == len(sequence.tokens),
            drafted=len(drafted),
        )

    def _chunk(self, sequence: Sequence, budget: int, *, others: bool) -> int:
        """A long prompt leaves half of what there is to those behind it."""
        if sequence.pending <= budget or not others:
            return min(sequence.pending, budget)
        return (budget + 1) // 2

    # How the cache is cut.

    def _make_room(self) -> Cut | None:
        """A cut in which everybody has room who runs, and whoever can be beside them; None when it is as it should be."""
        running = self._roster.by_rank()
        while not self._fit(running):
            self._preempt(running.pop())
        waiting = self._roster.waiting()
        if waiting and not self._fit([*running, waiting[0]]):
            running = self._give_way(running, waiting[0])
        together = running[:]
        for sequence in waiting:
            if len(together) >= self._bounds.slots_max or not self._fit([*together, sequence]):
                break
            together.append(sequence)
        layout = self.slots.layout
        if len(together) <= layout.slots and all(self._least(each) <= layout.window for each in together):
            return None
        wanted = self._layout_for(together, self._likely) or self._layout_for(together, self._least)
        assert wanted is not None, "they fit together"
        if not self._bounds.moves:
            for sequence in reversed(running):
                self._preempt(sequence)
            self.slots.forget()
        return Cut(slots=wanted.slots, window=wanted.window, moves=self.slots.cut(wanted))

    def _fit(self, sequences: SequenceOf[Sequence]) -> bool:
        return not sequences or self._layout_for(sequences, self._least) is not None

    def _layout_for(self, sequences: SequenceOf[Sequence], need: Callable[[Sequence], int]) -> Layout | None:
        return layout_for(
            len(sequences),
            max(map(need, sequences)),
            tokens_max=self._bounds.tokens_max,
            window_max=self._limits.context_window,
            slots_max=self._bounds.slots_max,
        )

    def _least(self, sequence: Sequence) -> int:
        """Tokens that it must have room for in the next step."""
        return min(len(sequence.tokens) + 1 + self._limits.draft_tokens_max, self._limits.context_window)

    def _likely(self, sequence: Sequence) -> int:
        """Tokens that it may well come to."""
        spare = _SPARE
        if sequence.sampling.max_tokens is not None:
            spare = min(spare, sequence.sampling.max_tokens - sequence.output_length)
        return min(self._least(sequence) + spare, self._limits.context_window)

    # Letting in, and giving way.

    def _let_in(self, budget: int) -> Copies:
        """Admit from the queue, in its order. Nobody is overtaken for want of room; who waits for a beginning is."""
        copies: list[tuple[int, int]] = []
        for sequence in self._roster.waiting():
            if budget <= 0 or not self.slots.idle or self._least(sequence) > self.slots.layout.window:
                break
            found = self.slots.find(sequence)
            if self._had_better_wait(sequence, found.positions):
                continue
            if found.source is not None:
                copies.append((found.source.number, found.slot.number))
            self._roster.admit(sequence)
            self._forget_waiting(sequence)
            self.slots.give(found, sequence)
            self._seated.add(sequence.id)
            sequence.computed = found.positions
            if not sequence.preempted:
                sequence.cached_tokens = found.positions
            budget -= sequence.pending
        return tuple(copies)

    def _had_better_wait(self, sequence: Sequence, known: int) -> bool:
        """Whether somebody is computing what it begins with, so that it can have a copy."""
        if sequence.id in self._impatient or not self._bounds.trims:
            return False
        now = self._roster.clock()
        wait = self._waits.get(sequence.id)
        if wait is None:
            for other in self._roster.running.values():
                if other.pending <= 1 or (other.tenant, other.namespace) != (sequence.tenant, sequence.namespace):
                    continue
                common = common_prefix(other.named, sequence.named, len(sequence.tokens) - 1)
                if common - max(known, other.computed) >= _WORTH_WAITING:
                    self._waits[sequence.id] = _Wait(other, common, other.computed, now)
                    return True
            return False
        if wait.computing.state is not SequenceState.RUNNING or wait.computing.computed >= wait.common:
            del self._waits[sequence.id]
            return False
        if wait.computing.computed > wait.seen:
            wait.seen, wait.since = wait.computing.computed, now
        if now - wait.since < self._limits.shared_prefix_wait_s:
            return True
        del self._waits[sequence.id]
        self._impatient.add(sequence.id)
        return False

    def _forget_waiting(self, sequence: Sequence) -> None:
        self._waits.pop(sequence.id, None)
        self._impatient.discard(sequence.id)

    def _give_way(self, running: list[Sequence], newcomer: Sequence) -> list[Sequence]:
        """Those that still run when those of a lower class have left for `newcomer`. Nobody leaves in vain."""
        below = [each for each in running if each.level > newcomer.level]
        above = [each for each in running if each.level <= newcomer.level]
        if not below or not self._fit([*above, newcomer]):
            return running
        while below and not self._fit([*above, *below, newcomer]):
            self._preempt(below.pop())
        return [*above, *below]

    def _preempt(self, victim: Sequence) -> None:
        self._speculation.forget(victim.id, ended=False)
        self._roster.preempt(victim)
        self.release(victim, keep_tail=True)
