"""The solo lane: one sequence a step, for models whose cache cannot be paged. Turns by time, so that several get on."""

from paddock.engine.limits import Limits
from paddock.engine.pace import Pace
from paddock.engine.planning import PlannedRows
from paddock.engine.roster import Roster
from paddock.engine.sequence import Sequence
from paddock.engine.step import Row
from paddock.vocabulary import Priority

_SLICES = {Priority.HIGH: 4, Priority.NORMAL: 2, Priority.LOW: 1}


class SoloPlanner:
    """Round robin over those that run; each turn lasts a slice of time, longer in a higher class."""

    def __init__(self, limits: Limits, roster: Roster, pace: Pace) -> None:
        self._limits = limits
        self._roster = roster
        self._pace = pace
        self._turns: list[Sequence] = []  # the first has its turn
        self._left_s = 0.0  # of that turn

    def plan(self) -> PlannedRows:
        self._let_in()
        planned = PlannedRows()
        if not self._turns:
            return planned
        if self._left_s <= 0:
            self._turns.append(self._turns.pop(0))
            self._left_s = self._slice_s(self._turns[0])
        sequence = self._turns[0]
        budget = self._pace.prefill_budget(0, alone=len(self._turns) == 1)
        start, count = sequence.computed, min(sequence.pending, budget)
        planned.add(
            Row(
                sequence_id=sequence.id,
                tokens=tuple(sequence.tokens[start : start + count]),
                start=start,
                blocks=(),
                samples=count == sequence.pending,
            )
        )
        return planned

    def advanced(self, sequence: Sequence, elapsed_s: float) -> None:
        self._left_s -= elapsed_s

    def release(self, sequence: Sequence, *, keep_tail: bool) -> None:
        sequence.computed = 0
        if sequence not in self._turns:
            return
        if self._turns[0] is sequence:
            self._left_s = self._slice_s(self._turns[1]) if len(self._turns) > 1 else 0.0
        self._turns.remove(sequence)

    def check(self) -> None:
        running = sorted(self._roster.running)
        turns = sorted(sequence.id for sequence in self._turns)
        assert turns == running, f"{running} run, and {turns} have turns"

    def _let_in(self) -> None:
        for sequence in self._roster.waiting():
            if not self._roster.has_place and not self._give_way(sequence):
                break
            self._roster.admit(sequence)
            self._turns.append(sequence)
            if len(self._turns) == 1:
                self._left_s = self._slice_s(sequence)

    def _give_way(self, newcomer: Sequence) -> bool:
        """A full lane: the last in rank leaves for somebody of a higher class. Its cache is lost."""
        last = self._roster.by_rank()[-1]
        if last.level <= newcomer.level:
            return False
        self._roster.preempt(last)
        self.release(last, keep_tail=False)
        return True

    def _slice_s(self, sequence: Sequence) -> float:
        return self._limits.solo_slice_s * _SLICES[sequence.level]
