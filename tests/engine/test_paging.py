"""Block tables: found, waited for, grown, given back."""

from paddock.engine.blocks import BlockPool
from paddock.engine.limits import Limits
from paddock.engine.paging import Paging
from paddock.engine.prefix import Match, PrefixIndex
from paddock.engine.sequence import Sequence
from tests.engine.simulated import a_sequence

LIMITS = Limits(vocabulary=100, context_window=64)


def a_paging(blocks: int = 8) -> Paging:
    pool = BlockPool(blocks, 4)
    return Paging(pool, PrefixIndex(pool, key=b"key"), wait_s=1.0)


def numbers(count: int, start: int = 10) -> list[int]:
    return list(range(start, start + count))


def begin(paging: Paging, name: str, prompt: list[int], now: float = 0.0) -> Sequence:
    sequence = a_sequence(name, prompt, LIMITS)
    match = paging.find(sequence, now)
    assert match is not None
    paging.admit(sequence, match)
    return sequence


def compute(paging: Paging, sequence: Sequence, end: int) -> None:
    paging.grow(sequence, end)
    sequence.computed = end
    paging.advance(sequence)


def test_a_block_is_found_as_soon_as_it_is_computed() -> None:
    """Running sequences are in the index: a burst shares with who computes now, not with who has ended."""
    paging = a_paging()
    first = begin(paging, "a", numbers(12))
    compute(paging, first, 8)
    other = a_sequence("b", [*numbers(8), 70, 71], LIMITS)
    assert paging.find(other, 0.0) == Match(8, (0, 1))
    paging.check([first])


def test_who_shares_what_is_being_computed_waits_until_it_is_there() -> None:
    """And then has all of it."""
    paging = a_paging()
    first = begin(paging, "a", numbers(12))
    other = a_sequence("b", [*numbers(8), 70, 71], LIMITS)
    assert paging.find(other, 0.0) is None
    compute(paging, first, 4)
    assert paging.find(other, 0.5) is None
    compute(paging, first, 8)
    assert paging.find(other, 0.6) == Match(8, (0, 1))


def test_waiting_ends_when_what_is_waited_for_does_not_grow() -> None:
    """Better computed twice than never."""
    paging = a_paging()
    first = begin(paging, "a", numbers(12))
    other = a_sequence("b", numbers(12), LIMITS)
    assert paging.find(other, 0.0) is None
    compute(paging, first, 4)
    assert paging.find(other, 0.9) is None, "it grew"
    assert paging.find(other, 1.8) is None
    assert paging.find(other, 2.0) == Match(4, (0,))
    assert paging.find(other, 2.1) == Match(4, (0,)), "it does not begin to wait again"


def test_waiting_ends_when_the_other_stops() -> None:
    """What it had computed is still there."""
    paging = a_paging()
    first = begin(paging, "a", numbers(12))
    other = a_sequence("b", numbers(12), LIMITS)
    assert paging.find(other, 0.0) is None
    compute(paging, first, 6)
    paging.release(first)
    assert paging.find(other, 0.0) == Match(6, (0, 1))
    paging.check([])


def test_blocks_of_rejected_guesses_are_used_by_the_tokens_that_come() -> None:
    """Nothing is given back that is needed in the next step."""
    paging = a_paging()
    sequence = begin(paging, "a", numbers(4))
    paging.grow(sequence, 9)
    assert sequence.blocks == (0, 1, 2)
    sequence.computed = 4
    paging.advance(sequence)
    assert paging.grow(sequence, 5) == ()
    assert sequence.blocks == (0, 1, 2)
    paging.check([sequence])


def test_two_that_share_an_unfilled_block_copy_it_once() -> None:
    """The first to write leaves with a copy; the last one writes in place."""
    paging = a_paging()
    first = begin(paging, "a", numbers(6))
    compute(paging, first, 6)
    paging.release(first)
    second, third = begin(paging, "b", [*numbers(6), 70]), begin(paging, "c", [*numbers(6), 71])
    assert second.blocks == third.blocks == (0, 1)
    assert paging.grow(second, 7) == ((1, 2),)
    assert paging.grow(third, 7) == ()
    assert (second.blocks, third.blocks) == ((0, 2), (0, 1))
    paging.check([second, third])


def test_room_is_counted_with_the_copies_that_writing_takes() -> None:
    """Growing never fails half way."""
    paging = a_paging(blocks=3)
    first = begin(paging, "a", numbers(6))
    compute(paging, first, 6)
    paging.release(first)
    second, third = begin(paging, "b", [*numbers(6), 70]), begin(paging, "c", [*numbers(6), 71])
    assert paging.shortage(second, 7) == 0
    assert paging.shortage(second, 9) == 1
    assert paging.fitting(second, 9) == 2
    paging.grow(second, 7)
    assert paging.shortage(third, 7) == 0
    assert paging.shortage(third, 9) == 1


def test_what_is_given_back_is_evicted_from_its_end() -> None:
    """A chain without its beginning is worth nothing."""
    paging = a_paging(blocks=3)
    first = begin(paging, "a", numbers(12))
    compute(paging, first, 12)
    paging.release(first)
    begin(paging, "b", numbers(3, 80))
    second = a_sequence("c", numbers(3, 80), LIMITS)
    match = paging.find(second, 0.0)
    assert match is not None
    paging.pool.allocate(1)
    assert paging.find(a_sequence("d", numbers(12), LIMITS), 0.0) == Match(8, (0, 1))


def test_what_a_prompt_misses_counts_blocks_that_are_only_cached() -> None:
    """They are available until they are taken; counting them twice would let in too many."""
    paging = a_paging()
    first = begin(paging, "a", numbers(6))
    compute(paging, first, 6)
    other = a_sequence("b", [*numbers(6), 70, 71, 72], LIMITS)
    match = Match(6, (0, 1))
    assert paging.missing(other, match) == 2, "a third block, and a copy of the second"
    paging.release(first)
    assert paging.find(other, 0.0) == match
    assert paging.missing(other, match) == 3, "the two that are cached, and a third"
