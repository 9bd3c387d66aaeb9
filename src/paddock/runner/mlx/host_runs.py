"""Which places of a slab the tokens of a group read, in as few pieces as there are.

A sequence's blocks mostly lie one behind the other, because it was given them in that order. Such a run is read in one piece,
once for all tokens that see it: those of one sequence, and those of sequences that share their beginning.
"""

from dataclasses import dataclass
from itertools import pairwise

from paddock.runner.mlx.packing import Seen


@dataclass(frozen=True, slots=True)
class Run:
    """Places of one slab, and where the tokens that see them have them."""

    slab: int
    begin: int
    end: int
    column: int  # of the first, counted from the first place that a token sees
    owners: tuple[int, ...]  # tokens of the group

    @property
    def places(self) -> int:
        return self.end - self.begin


def runs_of(seen: Seen, *, block_tokens: int, slab_blocks: int) -> tuple[Run, ...]:
    """Every block that is seen, once for each column in which somebody has it."""
    owners_of: dict[tuple[int, int], list[int]] = {}
    for token, blocks in enumerate(seen):
        for column, block in enumerate(blocks):
            owners_of.setdefault((column, block), []).append(token)
    runs: list[Run] = []
    pieces = [(column, block, tuple(owners)) for (column, block), owners in owners_of.items()]
    begin = 0
    for end in range(1, len(pieces) + 1):
        if end == len(pieces) or not _goes_on(pieces[end - 1], pieces[end], slab_blocks):
            column, block, owners = pieces[begin]
            place = block % slab_blocks * block_tokens
            length = (end - begin) * block_tokens
            runs.append(Run(block // slab_blocks, place, place + length, column * block_tokens, owners))
            begin = end
    return tuple(runs)


def shares(seen: Seen, number: int) -> list[range]:
    """The tokens in at most so many parts, each with about as much to read; those that begin alike stay together.

    One part alone: what they read is the same, or there is only one of them.
    """
    begins = [token for token, blocks in enumerate(seen) if token == 0 or blocks[:1] != seen[token - 1][:1]]
    total = sum(len(blocks) for blocks in seen)
    parts: list[range] = []
    begin = done = 0
    for start, end in pairwise([*begins, len(seen)]):
        done += sum(len(blocks) for blocks in seen[start:end])
        if done * number >= total * (len(parts) + 1) or end == len(seen):
            parts.append(range(begin, end))
            begin = end
    return parts


def _goes_on(
    before: tuple[int, int, tuple[int, ...]], after: tuple[int, int, tuple[int, ...]], slab_blocks: int
) -> bool:
    """Whether the second piece is what comes next, in the slab and for the same tokens."""
    return (
        after[0] == before[0] + 1
        and after[1] == before[1] + 1
        and after[1] % slab_blocks != 0
        and after[2] == before[2]
    )
