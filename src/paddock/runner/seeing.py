"""Requests whose pictures are still to be looked at: one picture between two steps, so that nobody waits for more than that.

They wait here and not in the scheduler's queue, because a sequence begins with all of its pictures seen.
"""

from collections.abc import Callable
from dataclasses import dataclass

from paddock.engine.sequence import Sequence
from paddock.errors import DeadlinePassed
from paddock.runner.executor import Constraint
from paddock.runner.opening import Sight
from paddock.runner.prompts import Prompt
from paddock.vocabulary import GenerateRequest


@dataclass(frozen=True, slots=True)
class Checked:
    """A request that nothing is wrong with, on its way to the scheduler."""

    request: GenerateRequest
    prompt: Prompt
    sequence: Sequence
    constraint: Constraint | None


class Seeing:
    """Belongs to the device's thread. `sight` is None for a model that sees nothing; nobody waits then."""

    def __init__(self, sight: Sight | None, *, ageing_s: float, clock: Callable[[], float]) -> None:
        """After `ageing_s` of waiting a request counts as one class more urgent."""
        self._sight = sight
        self._ageing_s = ageing_s
        self._clock = clock
        self._waiting: dict[str, Checked] = {}
        self._begun: str | None = None  # what it has seen is held for it: nobody else begins before it has seen all

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._waiting

    def wait(self, checked: Checked) -> None:
        self._waiting[checked.request.id] = checked

    @property
    def next(self) -> Checked | None:
        """Whose turn it is."""
        if self._begun is not None:
            return self._waiting[self._begun]
        return min(self._waiting.values(), key=self._rank, default=None)

    def look(self, checked: Checked) -> bool:
        """Work on one picture of the one whose turn it is. True when that was its last one: it waits no longer.

        Raises DeadlinePassed, and what looking raises; call `drop` then. Nothing happens while there is no room.
        """
        assert self._sight is not None, "whoever waits is to be seen"
        request_id = checked.request.id
        deadline = checked.sequence.deadline
        if deadline is not None and deadline <= self._clock():
            raise DeadlinePassed(
                f"Request `{request_id}` did not end before its deadline.",
                hint="Give it more time, or ask when fewer are waiting.",
            )
        if self._begun is None:
            if not self._sight.hold(request_id, checked.prompt.looks):
                return False
            self._begun = request_id
        if not self._sight.see(request_id):
            return False
        self._begun = None
        del self._waiting[request_id]
        return True

    def drop(self, request_id: str) -> bool:
        """It need not be seen any more, or has ended. True when it was waiting."""
        if self._sight is not None:
            self._sight.forget(request_id)
        if self._begun == request_id:
            self._begun = None
        return self._waiting.pop(request_id, None) is not None

    def _rank(self, checked: Checked) -> tuple[int, float]:
        sequence = checked.sequence
        classes = int((self._clock() - sequence.arrival) / self._ageing_s)
        return max(0, sequence.priority - classes), sequence.arrival
