"""Who waits, and who is next: by class, with ageing, so that nobody waits for ever."""

from paddock.engine.sequence import Sequence
from paddock.vocabulary import Priority


class WaitingQueue:
    """Bounded for newcomers; those that were preempted always find room again."""

    def __init__(self, *, newcomers_max: int, ageing_s: float) -> None:
        self._newcomers_max = newcomers_max
        self._ageing_s = ageing_s
        self._waiting: dict[str, Sequence] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, sequence_id: str) -> bool:
        return sequence_id in self._waiting

    @property
    def is_full(self) -> bool:
        newcomers = sum(1 for sequence in self._waiting.values() if not sequence.preempted)
        return newcomers >= self._newcomers_max

    def push(self, sequence: Sequence, now: float) -> bool:
        """False when there is no room; the sequence is then not in the queue."""
        assert sequence.id not in self._waiting, f"{sequence.id} waits already"
        if not sequence.preempted and self.is_full:
            return False
        sequence.queued_at = now
        self._waiting[sequence.id] = sequence
        return True

    def remove(self, sequence: Sequence, now: float) -> None:
        """It runs from now on, or has ended: its class stays what it is."""
        del self._waiting[sequence.id]
        sequence.level = self._level(sequence, now)
        sequence.waited_s += now - sequence.queued_at

    def in_order(self, now: float) -> list[Sequence]:
        """By class, those that ran before first, then by arrival."""
        for sequence in self._waiting.values():
            sequence.level = self._level(sequence, now)
        return sorted(
            self._waiting.values(), key=lambda each: (each.level, not each.preempted, each.arrival, each.number)
        )

    def _level(self, sequence: Sequence, now: float) -> Priority:
        waited_s = sequence.waited_s + now - sequence.queued_at
        return Priority(max(Priority.HIGH, sequence.priority - int(waited_s / self._ageing_s)))
