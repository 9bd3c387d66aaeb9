"""What each sequence holds of the cache: found, shared, grown, copied before it is written, given back.

    blocks     [ 4 ][ 7 ][ 2 ]        position p lies in blocks[p // size] at p % size
    positions   ████ ████ ██░░        █ computed   ░ allocated, not written yet
                shared ──► own

A block that others read, by reference or by name, is copied before its next position is written. Only the block at `computed`
can be such a one: blocks before it are not written any more, blocks after it are fresh.
"""

from dataclasses import dataclass

from paddock.engine.blocks import BlockPool
from paddock.engine.prefix import Match, PrefixIndex
from paddock.engine.sequence import Sequence

Copies = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Wait:
    """For a prefix that another sequence is computing; not longer than it grows."""

    digest: bytes  # of the last block that both have in common
    computing: Sequence
    seen: int  # how far it was
    since: float


class Paging:
    """The block tables of all running sequences, over one pool and one prefix index."""

    def __init__(self, pool: BlockPool, prefix: PrefixIndex, *, wait_s: float) -> None:
        self.pool = pool
        self.prefix = prefix
        self._wait_s = wait_s
        self._promised: dict[bytes, Sequence] = {}  # blocks that a running sequence is going to compute
        self._waits: dict[str, _Wait] = {}
        self._impatient: set[str] = set()  # waited once in vain, and will not wait again

    # Before a sequence runs.

    def find(self, sequence: Sequence, now: float) -> Match | None:
        """The prefix that is there for it; None when it had better wait for more, which another is computing."""
        if self._still_waits(sequence, now):
            return None
        if not sequence.chain:
            sequence.chain.append(self.prefix.root(sequence.tenant, sequence.namespace))
        named = sequence.named
        self.prefix.extend(sequence.chain, named)
        match = self.prefix.match(sequence.chain, named)
        if self._begins_to_wait(sequence, match.positions // self.pool.block_tokens, now):
            return None
        return match

    def missing(self, sequence: Sequence, match: Match) -> int:
        """Blocks that the pool must have available for all tokens of `sequence` if it starts from `match`."""
        pool = self.pool
        revived = sum(1 for block in match.blocks if pool.references(block) == 0)
        fresh = pool.blocks_for(len(sequence.tokens)) - len(match.blocks)
        # The last block, used in part, is copied; when nobody else holds it, it can be taken over if need be.
        partly = match.positions % pool.block_tokens != 0
        copied = 1 if partly and pool.references(match.blocks[-1]) > 0 else 0
        return revived + fresh + copied

    def admit(self, sequence: Sequence, match: Match) -> None:
        """Share what was found, and promise the blocks that it is going to compute."""
        for block in match.blocks:
            self.pool.share(block)
        sequence.blocks = match.blocks
        sequence.computed = match.positions
        sequence.entered = match.positions // self.pool.block_tokens
        for digest in sequence.chain[sequence.entered + 1 :]:
            if not self.prefix.is_known(digest):
                self._promised.setdefault(digest, sequence)
        self._forget_waiting(sequence)

    # While it runs.

    def shortage(self, sequence: Sequence, end: int) -> int:
        """Blocks that must become available before `grow` can be called."""
        return max(0, self._needed(sequence, end) - self.pool.available)

    def outstanding(self, sequence: Sequence) -> int:
        """Blocks that it still needs for the tokens that it has."""
        return self._needed(sequence, len(sequence.tokens))

    def fitting(self, sequence: Sequence, count: int) -> int:
        """How many of the next `count` positions there is room for now."""
        size = self.pool.block_tokens
        spare = self.pool.available - self._needed(sequence, sequence.computed)
        if spare < 0:
            return 0
        return min(count, (len(sequence.blocks) + spare) * size - sequence.computed)

    def grow(self, sequence: Sequence, end: int) -> Copies:
        """Make positions up to `end` writable. Returns the blocks to copy first."""
        pool = self.pool
        blocks = list(sequence.blocks)
        blocks += pool.allocate(max(0, pool.blocks_for(end) - len(blocks)))
        copies: Copies = ()
        first, within = divmod(sequence.computed, pool.block_tokens)
        if first < len(sequence.blocks):
            block = blocks[first]
            if pool.references(block) == 1 and pool.is_kept(block) and self.prefix.length(block) <= within:
                # The name says no more than this sequence's own history, and it writes on: the longer name comes later.
                self.prefix.remove(block)
            blocks[first], copy = pool.make_writable(block)
            copies = (copy,) if copy else ()
        sequence.blocks = tuple(blocks)
        return copies

    def advance(self, sequence: Sequence) -> None:
        """`computed` has grown: full blocks get their names, and whoever waits for them can go on."""
        size = self.pool.block_tokens
        full = sequence.computed // size
        if full == sequence.entered:
            return
        named = sequence.named
        self.prefix.extend(sequence.chain, named)
        for index in range(sequence.entered, full):
            tokens = named[index * size : (index + 1) * size]
            self.prefix.enter(sequence.chain[index], tokens, sequence.blocks[index])
            self._keep_promise(sequence, sequence.chain[index + 1])
        sequence.entered = full

    # When it stops running, or never ran.

    def release(self, sequence: Sequence, *, keep_tail: bool = True) -> None:
        """Give all blocks back. They stay in the index until they are reused, the last, unfilled one too if `keep_tail`."""
        size = self.pool.block_tokens
        full, within = divmod(sequence.computed, size)
        if within and keep_tail and sequence.blocks:
            named = sequence.named
            self.prefix.extend(sequence.chain, named)
            tail = named[full * size : sequence.computed]
            self.prefix.enter(sequence.chain[full], tail, sequence.blocks[full])
        # Last first: a chain is worth nothing without its beginning, so the beginning is evicted last.
        self.pool.release(reversed(sequence.blocks))
        for digest in sequence.chain[sequence.entered + 1 :]:
            self._keep_promise(sequence, digest)
        sequence.blocks = ()
        sequence.computed = sequence.entered = 0
        self._forget_waiting(sequence)

    def check(self, running: list[Sequence]) -> None:
        """Raises AssertionError when blocks, tables, names or promises disagree."""
        self.pool.check([sequence.blocks for sequence in running])
        self.prefix.check()
        for sequence in running:
            held, needed = len(sequence.blocks), self.pool.blocks_for(sequence.computed)
            assert held >= needed, f"{sequence.id} holds {held} blocks for {sequence.computed} positions"
            assert len(set(sequence.blocks)) == held, f"{sequence.id} holds a block twice: {sequence.blocks}"
        strangers = [each.id for each in self._promised.values() if each not in running]
        assert not strangers, f"promised by sequences that do not run: {strangers}"

    def _needed(self, sequence: Sequence, end: int) -> int:
        pool = self.pool
        fresh = max(0, pool.blocks_for(end) - len(sequence.blocks))
        first = sequence.computed // pool.block_tokens
        # A kept block with this one holder needs no other: it can be taken over.
        copied = 1 if first < len(sequence.blocks) and pool.references(sequence.blocks[first]) > 1 else 0
        return fresh + copied

    def _still_waits(self, sequence: Sequence, now: float) -> bool:
        wait = self._waits.get(sequence.id)
        if wait is None:
            return False
        if self._promised.get(wait.digest) is not wait.computing:
            del self._waits[sequence.id]  # it is there, or its owner has stopped: look again
            return False
        if wait.computing.computed > wait.seen:
            wait.seen, wait.since = wait.computing.computed, now
        if now - wait.since < self._wait_s:
            return True
        del self._waits[sequence.id]
        self._impatient.add(sequence.id)
        return False

    def _begins_to_wait(self, sequence: Sequence, known: int, now: float) -> bool:
        if sequence.id in self._impatient:
            return False
        digests = sequence.chain[known + 1 :]
        computing = self._promised.get(digests[0]) if digests else None
        if computing is None:
            return False
        common = digests[0]
        for digest in digests:
            if self._promised.get(digest) is not computing:
                break
            common = digest
        self._waits[sequence.id] = _Wait(common, computing, computing.computed, now)
        return True

    def _keep_promise(self, sequence: Sequence, digest: bytes) -> None:
        if self._promised.get(digest) is sequence:
            del self._promised[digest]

    def _forget_waiting(self, sequence: Sequence) -> None:
        self._waits.pop(sequence.id, None)
        self._impatient.discard(sequence.id)
