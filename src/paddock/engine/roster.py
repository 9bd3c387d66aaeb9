"""Everyone who has not ended: who waits, who runs, and what the executor must be told about that."""

from collections.abc import Callable

from paddock.engine.limits import Limits
from paddock.engine.queue import WaitingQueue
from paddock.engine.sequence import Sequence, SequenceState


class Roster:
    """Moves sequences between queue and running; blocks are the planner's business."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.queue = WaitingQueue(newcomers_max=limits.queue_max, ageing_s=limits.ageing_s)
        self.running: dict[str, Sequence] = {}
        self.preemptions = 0
        self._batch_max = limits.batch_max
        self._begins: list[str] = []
        self._ends: list[str] = []

    @property
    def has_place(self) -> bool:
        return len(self.running) < self._batch_max

    def by_rank(self) -> list[Sequence]:
        """Those that run, the one that goes first first."""
        return sorted(self.running.values(), key=lambda each: each.rank)

    def waiting(self) -> list[Sequence]:
        """Those that wait, the next one first."""
        return self.queue.in_order(self.clock()) if len(self.queue) else []

    def admit(self, sequence: Sequence) -> None:
        self.queue.remove(sequence, self.clock())
        sequence.state = SequenceState.RUNNING
        self.running[sequence.id] = sequence
        self._begins.append(sequence.id)

    def preempt(self, sequence: Sequence) -> None:
        """Back to the queue, in front of its class. Its tokens stay; its place in the cache is recomputed."""
        if self._leave(sequence):
            self._ends.append(sequence.id)
        sequence.state = SequenceState.WAITING
        sequence.preempted = True
        sequence.preemptions += 1
        self.preemptions += 1
        pushed = self.queue.push(sequence, self.clock())
        assert pushed, "the queue takes back who ran before"

    def end(self, sequence: Sequence) -> None:
        """It has ended; whoever ends it tells the executor."""
        if sequence.state is SequenceState.RUNNING:
            self._leave(sequence)
        else:
            self.queue.remove(sequence, self.clock())
        sequence.state = SequenceState.FINISHED

    def take_changes(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(begun, ended) since the last time, for the plan that is about to go out."""
        changes = tuple(self._begins), tuple(self._ends)
        self._begins.clear()
        self._ends.clear()
        return changes

    def _leave(self, sequence: Sequence) -> bool:
        """Whether the executor has heard of it."""
        del self.running[sequence.id]
        if sequence.id not in self._begins:
            return True
        self._begins.remove(sequence.id)
        return False
