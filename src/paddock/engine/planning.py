"""Who does what in the next step, over a paged cache: decode first, then prompts in chunks, then whoever can be let in."""

from collections.abc import Mapping
from typing import Protocol

from paddock.engine.limits import Limits
from paddock.engine.pace import Pace
from paddock.engine.paging import Copies, Paging
from paddock.engine.prefix import Match
from paddock.engine.roster import Roster
from paddock.engine.sequence import Sequence, SequenceState
from paddock.engine.speculation import Speculation
from paddock.engine.step import Cut, Row


class PlannedRows:
    """The rows of one step while it is being planned: whoever is preempted meanwhile drops out again."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[Row, Copies]] = {}
        self.cut: Cut | None = None

    def add(self, row: Row, copies: Copies = ()) -> None:
        self._rows[row.sequence_id] = (row, copies)

    def drop(self, sequence_id: str) -> bool:
        """Whether copies go with it: then the sequence's unfilled block will not hold what it should."""
        _, copies = self._rows.pop(sequence_id, (None, ()))
        return bool(copies)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for row, _ in self._rows.values())

    @property
    def copies(self) -> Copies:
        return tuple(copy for _, copies in self._rows.values() for copy in copies)


class Planner(Protocol):
    """One way to share a device: `PagedPlanner`, `SlotPlanner` or `SoloPlanner`."""

    def plan(self) -> PlannedRows: ...

    def advanced(self, sequence: Sequence, elapsed_s: float) -> None:
        """Its row was computed, in a step that took this long."""
        ...

    def release(self, sequence: Sequence, *, keep_tail: bool) -> None:
        """It stops running, or never ran: what it holds is free. `keep_tail`: its unfilled block holds what it should."""
        ...

    def check(self) -> None:
        """Raises AssertionError when what is held does not add up."""
        ...


class PagedPlanner:
    """Many sequences a step. Who goes first is `Sequence.rank`; who goes last gives blocks up when they run out.

    Everything ends: the first in rank can always take the blocks of all others, ranks of those that run do not change, and
    those that wait age until they are among the first.
    """

    def __init__(self, limits: Limits, roster: Roster, paging: Paging, pace: Pace, speculation: Speculation) -> None:
        self._limits = limits
        self._roster = roster
        self._paging = paging
        self._pace = pace
        self._speculation = speculation

    def plan(self) -> PlannedRows:
        planned = PlannedRows()
        self._plan_decoding(planned)
        self._plan_prompts(planned)
        return planned

    def advanced(self, sequence: Sequence, elapsed_s: float) -> None:
        self._paging.advance(sequence)

    def release(self, sequence: Sequence, *, keep_tail: bool) -> None:
        self._paging.release(sequence, keep_tail=keep_tail)

    def check(self) -> None:
        self._paging.check(list(self._roster.running.values()))

    # Decoding rows.

    def _plan_decoding(self, planned: PlannedRows) -> None:
        decoding = [sequence for sequence in self._roster.by_rank() if sequence.pending == 1]
        guesses = self._speculation.guesses(decoding, self._context_window)
        for sequence in decoding:
            # A better one may have taken its blocks a moment ago.
            if sequence.state is SequenceState.RUNNING:
                self._plan_token(sequence, guesses, planned)

    def _plan_token(self, sequence: Sequence, guesses: Mapping[str, tuple[int, ...]], planned: PlannedRows) -> None:
        drafted = guesses.get(sequence.id, ())
        end = sequence.computed + 1
        if self._paging.shortage(sequence, end + len(drafted)):
            drafted = ()  # nobody gives up blocks for a guess
        if not self._make_room(sequence, end, planned):
            return  # it stalls; those before it in rank end, and then there is room
        copies = self._paging.grow(sequence, end + len(drafted))
        tokens = (sequence.tokens[-1], *drafted)
        planned.add(_row(sequence, tokens, drafted=len(drafted)), copies)

    # Rows of prompts, of those that run and of those let in now.

    def _plan_prompts(self, planned: PlannedRows) -> None:
        prefilling = [sequence for sequence in self._roster.by_rank() if sequence.pending > 1]
        asking = len(prefilling) + len(self._roster.queue)
        budget = self._pace.prefill_budget(len(planned), alone=not planned, prompts=asking)
        chunks: dict[str, int] = {}
        for index, sequence in enumerate(prefilling):
            others = index + 1 < len(prefilling) or len(self._roster.queue) > 0
            chunks[sequence.id] = self._chunk(sequence, budget, others=others)
            budget -= chunks[sequence.id]
        for sequence in self._let_in(planned, budget):
            prefilling.append(sequence)
            chunks[sequence.id] = self._chunk(sequence, budget, others=True)
            budget -= chunks[sequence.id]
        for sequence in sorted(prefilling, key=lambda each: each.rank):
            if sequence.state is SequenceState.RUNNING:
                # What others left of the budget goes to the first that can use it.
                more = min(budget, sequence.pending - chunks[sequence.id])
                budget -= more
                self._plan_chunk(sequence, chunks[sequence.id] + more, planned)

    def _chunk(self, sequence: Sequence, budget: int, *, others: bool) -> int:
        """A long prompt leaves half of what there is to those behind it."""
        if sequence.pending <= budget or not others:
            return min(sequence.pending, budget)
        return (budget + 1) // 2

    def _plan_chunk(self, sequence: Sequence, count: int, planned: PlannedRows) -> None:
        paging, size = self._paging, self._paging.pool.block_tokens
        if count < sequence.pending:
            # Chunks end where blocks end: full blocks are what others can share.
            aligned = (sequence.computed + count) // size * size - sequence.computed
            count = aligned if aligned > 0 else count
        if not self._make_room(sequence, sequence.computed + count, planned):
            count = paging.fitting(sequence, count)
        if count <= 0:
            return
        end = sequence.computed + count
        copies = paging.grow(sequence, end)
        planned.add(_row(sequence, tuple(sequence.tokens[sequence.computed : end])), copies)

    # Letting in.

    def _let_in(self, planned: PlannedRows, budget: int) -> list[Sequence]:
        """Admit from the queue, in its order, while there is something left to compute with. Nobody is overtaken for want of
        blocks; who waits for a prefix that another computes is.
        """
        admitted: list[Sequence] = []
        for sequence in self._roster.waiting():
            if budget <= 0:
                break
            if not self._roster.has_place and not self._below(sequence):
                break
            match = self._paging.find(sequence, self._roster.clock())
            if match is None:
                continue
            if not self._find_place(sequence, match, planned):
                break
            self._roster.admit(sequence)
            self._paging.admit(sequence, match)
            if not sequence.preempted:
                sequence.cached_tokens = match.positions
            admitted.append(sequence)
            budget -= sequence.pending
        return admitted

    def _find_place(self, sequence: Sequence, match: Match, planned: PlannedRows) -> bool:
        """Whether it can be admitted, perhaps after those of a lower class were preempted for it."""
        running = list(self._roster.running.values())
        if self._roster.has_place and self._fits(sequence, match, running):
            return True
        below = self._below(sequence)
        above = [each for each in running if each not in below]
        pool = self._paging.pool
        # What they hold alone; blocks that it shares with them come free and are needed at once.
        freed = sum(
            1 for each in below for block in each.blocks if pool.references(block) == 1 and block not in match.blocks
        )
        if not below or not self._fits(sequence, match, above, freed=freed):
            return False  # nobody is preempted in vain
        while not (self._roster.has_place and self._fits(sequence, match, [*above, *below])):
            self._preempt(below.pop(), planned)
        return True

    def _fits(self, sequence: Sequence, match: Match, running: list[Sequence], *, freed: int = 0) -> bool:
        """Blocks for all of its tokens, beside what those that run need for theirs, and one more each."""
        spoken_for = sum(self._paging.outstanding(each) + 1 for each in running)
        return self._paging.pool.available + freed - spoken_for >= self._paging.missing(sequence, match)

    def _below(self, sequence: Sequence) -> list[Sequence]:
        """Those that run in a lower class, the one to preempt first last."""
        return [each for each in self._roster.by_rank() if each.level > sequence.level]

    # Making room.

    def _make_room(self, sequence: Sequence, end: int, planned: PlannedRows) -> bool:
        """Blocks for positions up to `end`, taken from those behind it in rank if need be."""
        while self._paging.shortage(sequence, end):
            victim = self._roster.by_rank()[-1]
            if victim is sequence:
                return False
            self._preempt(victim, planned)
        return True

    def _preempt(self, victim: Sequence, planned: PlannedRows) -> None:
        uncopied = planned.drop(victim.id)
        self._speculation.forget(victim.id, ended=False)
        self._roster.preempt(victim)
        self._paging.release(victim, keep_tail=not uncopied)

    @property
    def _context_window(self) -> int:
        pool = self._paging.pool
        return min(self._limits.context_window, pool.block_count * pool.block_tokens)


def _row(sequence: Sequence, tokens: tuple[int, ...], *, drafted: int = 0) -> Row:
    end = sequence.computed + len(tokens)
    return Row(
        sequence_id=sequence.id,
        tokens=tokens,
        start=sequence.computed,
        blocks=sequence.blocks,
        samples=end - drafted == len(sequence.tokens),
        drafted=drafted,
    )
