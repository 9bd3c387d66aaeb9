"""Blocks of KV cache: who holds each, which are free, which are worth keeping for a while.

    free ──allocate──► held (references ≥ 1) ──release──► free
                          ▲        │
                        share      └─release, when kept──► cached ──least recently used──► free
                          └──────────────────────────────────┘

Only numbers live here; the bytes are the executor's.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable


def _nobody_listens(_block: int) -> None: ...


class BlockPool:
    """Fixed-size blocks with reference counts."""

    def __init__(self, block_count: int, block_tokens: int) -> None:
        assert block_count > 0, "a pool has blocks"
        assert block_tokens > 0, "blocks hold tokens"
        self.block_count = block_count
        self.block_tokens = block_tokens
        self.on_evict: Callable[[int], None] = _nobody_listens  # the prefix index: this block's content is about to go
        self._references = [0] * block_count
        self._kept = [False] * block_count  # the content has a name in the prefix index
        # A stack, lowest number first: recently freed blocks are warm, and tests can say which block comes next.
        self._free = list(range(block_count - 1, -1, -1))
        self._cached: OrderedDict[int, None] = OrderedDict()  # kept and unreferenced, least recently used first

    @property
    def available(self) -> int:
        """Blocks that `allocate` could hand out now, cached ones included."""
        return len(self._free) + len(self._cached)

    @property
    def used(self) -> int:
        """Blocks that somebody holds."""
        return self.block_count - self.available

    @property
    def cached(self) -> int:
        return len(self._cached)

    def blocks_for(self, positions: int) -> int:
        return -(-positions // self.block_tokens)

    def references(self, block: int) -> int:
        return self._references[block]

    def is_kept(self, block: int) -> bool:
        return self._kept[block]

    def allocate(self, count: int) -> list[int]:
        """So many blocks with one reference each, contents undefined. The caller has asked `available` before."""
        assert count <= self.available, f"{count} blocks wanted, {self.available} available"
        blocks: list[int] = []
        for _ in range(count):
            block = self._free.pop() if self._free else self._evict()
            self._references[block] = 1
            blocks.append(block)
        return blocks

    def share(self, block: int) -> None:
        """One more holder, of a block that is held or cached."""
        if self._references[block] == 0:
            assert self._kept[block], f"block {block} is free, nothing is in it to share"
            del self._cached[block]
        self._references[block] += 1

    def release(self, blocks: Iterable[int]) -> None:
        """One holder less of each. Kept blocks stay cached, in the order given: hand the least useful first."""
        for block in blocks:
            assert self._references[block] > 0, f"block {block} is released more often than held"
            self._references[block] -= 1
            if self._references[block]:
                continue
            if self._kept[block]:
                self._cached[block] = None
            else:
                self._free.append(block)

    def keep(self, block: int) -> None:
        """The content has a name now: it must not be overwritten, and outlives its holders while there is room."""
        assert self._references[block] > 0, f"block {block} is kept by nobody who holds it"
        self._kept[block] = True

    def let_go(self, block: int) -> None:
        """The content has no name any more."""
        self._kept[block] = False
        if self._references[block] == 0 and block in self._cached:
            del self._cached[block]
            self._free.append(block)

    def is_writable(self, block: int) -> bool:
        """Whether its one holder may write to it: nobody else reads it, by reference or by name."""
        return self._references[block] == 1 and not self._kept[block]

    def make_writable(self, block: int) -> tuple[int, tuple[int, int] | None]:
        """The block to write to instead of `block`, and the (from, to) to copy first, if it is another one.

        The caller's reference moves to the new block. A sole holder may take a kept block over when no other is left, at
        the price of its name; whoever shares it otherwise must have made room before.
        """
        assert self._references[block] > 0, f"block {block} is written by nobody who holds it"
        if self.is_writable(block):
            return block, None
        if self._references[block] == 1 and self.available == 0:
            self.on_evict(block)
            self._kept[block] = False
            return block, None
        (copy,) = self.allocate(1)
        self.release((block,))
        return copy, (block, copy)

    def _evict(self) -> int:
        block, _ = self._cached.popitem(last=False)
        self.on_evict(block)
        self._kept[block] = False
        return block

    def check(self, tables: Iterable[Iterable[int]] | None = None) -> None:
        """Raises AssertionError that says what is wrong. `tables`: all blocks held, holder by holder, when known."""
        free, cached = set(self._free), set(self._cached)
        assert len(free) == len(self._free), f"a block is free twice: {sorted(self._free)}"
        assert not free & cached, f"blocks {sorted(free & cached)} are both free and cached"
        if not self._agrees():
            self._name_what_is_wrong(free, cached)
        if tables is None:
            return
        counts = [0] * self.block_count
        for table in tables:
            for block in table:
                counts[block] += 1
        if counts != self._references:
            pairs = enumerate(zip(self._references, counts, strict=True))
            wrong = {block: (held, counted) for block, (held, counted) in pairs if held != counted}
            raise AssertionError(f"references counted and held differ, by block: {wrong}")

    def _agrees(self) -> bool:
        """Whether all is well, without a look at every block in Python: a runner has tens of thousands of them."""
        references, kept = self._references.__getitem__, self._kept.__getitem__
        return (
            min(self._references, default=0) >= 0
            and self._references.count(0) == len(self._free) + len(self._cached)
            and not any(map(references, self._free))
            and not any(map(references, self._cached))
            and all(map(kept, self._cached))
            and not any(map(kept, self._free))
        )

    def _name_what_is_wrong(self, free: set[int], cached: set[int]) -> None:
        for block, references in enumerate(self._references):
            assert references >= 0, f"block {block} has {references} references"
            idle = block in free or block in cached
            assert idle == (references == 0), (
                f"block {block} has {references} references and is {'' if idle else 'not '}idle"
            )
            assert self._kept[block] or block not in cached, f"block {block} is cached without a name"
            assert not self._kept[block] or block not in free, f"block {block} is free and has a name"
        raise AssertionError("what is free and what is cached does not add up")

    @property
    def kept(self) -> int:
        """Blocks whose content has a name."""
        return sum(self._kept)
