"""Who is looked at when: one picture between two steps, the most urgent request first, and nobody for ever."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from paddock.engine.limits import Limits
from paddock.engine.sequence import new_sequence
from paddock.errors import DeadlinePassed
from paddock.runner.prompts import Look, Prompt
from paddock.runner.seeing import Checked, Seeing
from paddock.vocabulary import GenerateRequest, Message, Picture, Priority, Sampling

LIMITS = Limits(vocabulary=100, context_window=64)


class Eyes:
    """A Sight with room for the pictures of so many sequences, that notes what it sees."""

    def __init__(self, room: int = 9) -> None:
        self.room = room
        self.held: dict[str, list[str]] = {}
        self.seen: list[str] = []

    def read(self, messages: Sequence[Message], options: Mapping[str, Any], **_: Any) -> Prompt:
        raise AssertionError("requests come read")

    def hold(self, sequence_id: str, looks: Sequence[Look]) -> bool:
        if len(self.held) == self.room:
            return False
        self.held[sequence_id] = [look.picture.digest for look in looks]
        return True

    def see(self, sequence_id: str) -> bool:
        self.seen.append(self.held[sequence_id].pop(0))
        return not self.held[sequence_id]

    def forget(self, sequence_id: str) -> None:
        self.held.pop(sequence_id, None)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def checked(
    name: str, pictures: int, *, arrival: float = 0, priority: Priority = Priority.NORMAL, deadline: float | None = None
) -> Checked:
    request = GenerateRequest(id=name, sampling=Sampling(), tokens=(1,) * (pictures + 1), priority=priority)
    looks = tuple(Look(Picture(digest=f"{name}{number}"), (number,)) for number in range(pictures))
    sequence = new_sequence(
        name,
        (1,) * (pictures + 1),
        Sampling(),
        limits=LIMITS,
        arrival=arrival,
        draw_seed=lambda: 1,
        priority=priority,
        deadline=deadline,
    )
    return Checked(request, Prompt(sequence.tokens, looks), sequence, None)


def drain(seeing: Seeing) -> list[str]:
    """Who was done, in order."""
    done: list[str] = []
    while (turn := seeing.next) is not None:
        if seeing.look(turn):
            done.append(turn.request.id)
    return done


def test_each_call_looks_at_one_picture() -> None:
    """Between two of them those who are being answered get their tokens."""
    eyes = Eyes()
    seeing = Seeing(eyes, ageing_s=10, clock=Clock())
    seeing.wait(checked("a", 3))
    for number in range(3):
        assert "a" in seeing
        turn = seeing.next
        assert turn is not None
        assert seeing.look(turn) == (number == 2)
        assert eyes.seen == ["a0", "a1", "a2"][: number + 1]
    assert len(seeing) == 0


def test_the_urgent_come_first_and_the_rest_as_they_arrived() -> None:
    """But whoever was begun is finished: what it has seen is held, and two halves could fill all the room there is."""
    seeing = Seeing(Eyes(), ageing_s=10, clock=Clock())
    for name, arrival, priority in (
        ("late", 2, Priority.NORMAL),
        ("first", 0, Priority.NORMAL),
        ("low", 1, Priority.LOW),
    ):
        seeing.wait(checked(name, 2, arrival=arrival, priority=priority))
    turn = seeing.next
    assert turn is not None
    assert turn.request.id == "first"
    seeing.look(turn)
    seeing.wait(checked("urgent", 1, arrival=3, priority=Priority.HIGH))
    assert drain(seeing) == ["first", "urgent", "late", "low"]


def test_who_waits_long_becomes_urgent() -> None:
    """A stream of urgent requests does not keep the others from being seen for ever."""
    clock = Clock()
    seeing = Seeing(Eyes(), ageing_s=10, clock=clock)
    seeing.wait(checked("low", 1, arrival=0, priority=Priority.LOW))
    clock.now = 25
    seeing.wait(checked("urgent", 1, arrival=24, priority=Priority.HIGH))
    assert drain(seeing) == ["low", "urgent"]


def test_without_room_it_waits_until_somebody_has_ended() -> None:
    """Features of pictures take memory for as long as they are answered about."""
    eyes = Eyes(room=1)
    seeing = Seeing(eyes, ageing_s=10, clock=Clock())
    seeing.wait(checked("a", 1))
    seeing.wait(checked("b", 1, arrival=1))
    first = seeing.next
    assert first is not None
    assert seeing.look(first)
    second = seeing.next
    assert second is not None
    assert not seeing.look(second)
    assert eyes.seen == ["a0"]
    seeing.drop("a")  # its answer has ended
    assert seeing.look(second)


def test_whoever_leaves_lets_go() -> None:
    """Before its turn, and half way through; then it is the next one's."""
    eyes = Eyes()
    seeing = Seeing(eyes, ageing_s=10, clock=Clock())
    for number, name in enumerate("abc"):
        seeing.wait(checked(name, 2, arrival=number))
    turn = seeing.next
    assert turn is not None
    seeing.look(turn)
    assert seeing.drop("a")
    assert seeing.drop("b")
    assert not seeing.drop("a")
    assert eyes.held == {}
    assert drain(seeing) == ["c"]


def test_a_deadline_passes_while_it_waits() -> None:
    """Nobody looks at a picture that nobody will hear about."""
    clock, eyes = Clock(), Eyes()
    seeing = Seeing(eyes, ageing_s=10, clock=clock)
    seeing.wait(checked("a", 1, deadline=5))
    clock.now = 5
    turn = seeing.next
    assert turn is not None
    with pytest.raises(DeadlinePassed, match="`a`"):
        seeing.look(turn)
    assert eyes.seen == []
