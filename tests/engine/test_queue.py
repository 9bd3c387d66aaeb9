"""The queue: classes, age, arrival, and a limit."""

from paddock.engine.limits import Limits
from paddock.engine.queue import WaitingQueue
from paddock.vocabulary import Priority
from tests.engine.simulated import a_sequence

LIMITS = Limits(vocabulary=8, context_window=8)


def a_queue(*requests: tuple[str, float, Priority], newcomers_max: int = 9) -> WaitingQueue:
    queue = WaitingQueue(newcomers_max=newcomers_max, ageing_s=10)
    for name, arrival, priority in requests:
        queue.push(a_sequence(name, [1], LIMITS, arrival=arrival, priority=priority), arrival)
    return queue


def names(queue: WaitingQueue, now: float) -> str:
    return "".join(sequence.id for sequence in queue.in_order(now))


def test_a_higher_class_goes_first_and_within_a_class_the_earlier() -> None:
    """That is what a priority means."""
    queue = a_queue(
        ("a", 0, Priority.LOW), ("b", 1, Priority.NORMAL), ("c", 2, Priority.HIGH), ("d", 3, Priority.NORMAL)
    )
    assert names(queue, 4) == "cbda"


def test_a_low_request_moves_up_a_class_after_a_while() -> None:
    """However many others come, its turn comes."""
    queue = a_queue(("a", 0, Priority.LOW), ("b", 9, Priority.NORMAL), ("c", 15, Priority.HIGH))
    assert names(queue, 9.9) == "cba"
    assert names(queue, 10) == "cab"
    assert names(queue, 20) == "abc"


def test_who_ran_before_goes_first_in_its_class_and_finds_room_in_a_full_queue() -> None:
    """It has an answer half given; refusing it now would lose that."""
    queue = a_queue(("a", 0, Priority.NORMAL), ("b", 1, Priority.HIGH), newcomers_max=2)
    again = a_sequence("p", [1], LIMITS, arrival=3)
    again.preempted = True
    assert queue.push(again, 4)
    assert names(queue, 5) == "bpa"


def test_a_full_queue_refuses() -> None:
    """Waiting without end is worse than being told to come back."""
    queue = a_queue(("a", 0, Priority.LOW), newcomers_max=1)
    late = a_sequence("b", [1], LIMITS)
    assert not queue.push(late, 1)
    assert "b" not in queue
    assert len(queue) == 1


def test_time_spent_running_does_not_age() -> None:
    """Else a long answer of low priority would be above everybody when it is put back."""
    queue = a_queue(("a", 0, Priority.LOW))
    (sequence,) = queue.in_order(5)
    queue.remove(sequence, 6)
    sequence.preempted = True
    queue.push(sequence, 100)
    queue.in_order(103)
    assert sequence.level is Priority.LOW
    queue.in_order(104)
    assert sequence.level is Priority.NORMAL
