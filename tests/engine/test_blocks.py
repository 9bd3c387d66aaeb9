"""Blocks: held, shared, kept for a while, copied before they are written."""

# pyright: reportPrivateUsage=false
# What is harmed here is what nobody reaches.

from collections.abc import Callable

import pytest

from paddock.engine.blocks import BlockPool


def test_blocks_are_handed_out_lowest_first_and_reused_last_freed_first() -> None:
    """Plans must be predictable, and a block that was just freed is warm."""
    pool = BlockPool(4, 2)
    assert pool.allocate(3) == [0, 1, 2]
    pool.release([1])
    assert pool.allocate(2) == [1, 3]
    assert pool.available == 0


def test_a_shared_block_comes_back_when_its_last_holder_leaves() -> None:
    """Not before: the other still reads it. Not later: that would be a leak."""
    pool = BlockPool(2, 2)
    (block,) = pool.allocate(1)
    pool.share(block)
    pool.release([block])
    assert pool.used == 1
    pool.release([block])
    assert pool.used == 0
    pool.check([])


def test_the_least_recently_used_of_the_kept_blocks_goes_first() -> None:
    """What was used last is most likely to be used again."""
    pool = BlockPool(3, 2)
    evicted: list[int] = []
    pool.on_evict = evicted.append
    blocks = pool.allocate(3)
    for block in blocks:
        pool.keep(block)
    pool.release([2, 0, 1])
    pool.share(2)
    pool.release([2])
    assert (pool.available, pool.cached) == (3, 3)
    assert pool.allocate(2) == [0, 1]
    assert evicted == [0, 1]


def test_a_block_that_is_held_alone_and_has_no_name_is_written_in_place() -> None:
    """No copy without need."""
    pool = BlockPool(2, 2)
    (block,) = pool.allocate(1)
    assert pool.make_writable(block) == (block, None)


@pytest.mark.parametrize("kept", [True, False])
def test_a_block_that_others_read_is_copied_before_it_is_written(kept: bool) -> None:
    """By reference or by name: both would read what was never theirs."""
    pool = BlockPool(3, 2)
    (block,) = pool.allocate(1)
    pool.keep(block) if kept else pool.share(block)
    assert pool.make_writable(block) == (1, (block, 1))
    assert pool.references(1) == 1
    pool.check([[1]] if kept else [[0], [1]])


def test_a_kept_block_is_taken_over_when_there_is_no_other() -> None:
    """A sequence that is alone and holds everything must still get on."""
    pool = BlockPool(1, 2)
    evicted: list[int] = []
    pool.on_evict = evicted.append
    (block,) = pool.allocate(1)
    pool.keep(block)
    assert pool.make_writable(block) == (block, None)
    assert evicted == [block]
    pool.check([[block]])


def test_a_block_that_lost_its_name_is_free_again() -> None:
    """Cached means kept for its name; without one nobody could find it."""
    pool = BlockPool(1, 2)
    (block,) = pool.allocate(1)
    pool.keep(block)
    pool.release([block])
    pool.let_go(block)
    assert (pool.available, pool.cached) == (1, 0)
    pool.check([])


def test_misuse_is_said_at_once() -> None:
    """A wrong count found later has no culprit any more."""
    pool = BlockPool(1, 2)
    with pytest.raises(AssertionError, match="nothing is in it to share"):
        pool.share(0)
    with pytest.raises(AssertionError, match="released more often than held"):
        pool.release([0])
    with pytest.raises(AssertionError, match="2 blocks wanted, 1 available"):
        pool.allocate(2)


def test_check_names_the_block_whose_references_do_not_add_up() -> None:
    """A leak is a block that is held by nobody."""
    pool = BlockPool(3, 2)
    pool.allocate(2)
    pool.check([[0], [1]])
    with pytest.raises(AssertionError, match=r"by block: \{1: \(1, 0\)\}"):
        pool.check([[0]])


HARMS: list[tuple[Callable[[BlockPool], object], str]] = [
    (lambda pool: pool._references.__setitem__(0, -1), "block 0 has -1 references"),
    (lambda pool: pool._references.__setitem__(pool._free[0], 1), "1 references and is idle"),
    (lambda pool: pool._free.pop(), "0 references and is not idle"),
    (lambda pool: pool._kept.__setitem__(pool._free[0], True), "is free and has a name"),
    (lambda pool: pool._cached.__setitem__(pool._free.pop(), None), "is cached without a name"),
    (lambda pool: pool._free.append(pool._free[0]), "free twice"),
]


@pytest.mark.parametrize(("harm", "says"), HARMS)
def test_a_check_names_the_block_that_is_wrong(harm: Callable[[BlockPool], object], says: str) -> None:
    """It looks at all blocks at once, and at each only when something is wrong."""
    pool = BlockPool(4, 16)
    (held,) = pool.allocate(1)
    pool.check([[held]])
    harm(pool)
    with pytest.raises(AssertionError, match=says):
        pool.check([[held]])
