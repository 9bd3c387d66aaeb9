"""From the rows of a plan to index arrays: which token goes where, and which block is read by whom. No MLX in here.

A step is fed as one column of tokens, short rows (decoding, guesses) first, then the long ones (prefill):

    a  b  c c c  d d d d d d d d d …      each token knows its position, its block and its place in the block
    └─ group ─┘  └─ long row ──────┘

Short rows attend without moving any key or value: instead of gathering each row's blocks, each block gets the queries of the
tokens that see it. That makes pairs (block, token), sorted by block so that blocks which lie side by side are read as one
slice; a block that several tokens see (guesses of one sequence, a shared prefix) is read once for all of them.

    cells   [token, i-th block it sees] ──► pair        (to bring scores together for the softmax)
    pairs   (block, token) ──► cell                     (to bring weights back to the blocks)
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from paddock.engine.step import Row

Ints: TypeAlias = npt.NDArray[np.int32]
Seen: TypeAlias = tuple[tuple[int, ...], ...]  # for each token of a group the blocks that it sees

SHORT_MAX: Final = 8  # tokens of a row that attends by pairs; from there on its keys are better put together once
_SLICE_WASTE: Final = 1.5  # a slice may hold so many times the blocks that are wanted of it; else they are gathered
_WIDTHS: Final = 2  # the token of a group that sees most sees at most so many times what the one that sees least does
_NARROW: Final = 4  # below so many blocks nobody minds the padding


@dataclass(frozen=True, slots=True)
class Segment:
    """Blocks of one slab, and the tokens that see each of them."""

    slab: int
    blocks: Ints | slice  # within the slab
    owners: Ints  # [blocks, most owners]: tokens of the group, padded with 0


@dataclass(frozen=True, slots=True)
class Cells:
    """Who sees what in a group. Stays the same for as long as no token enters another block: the lane keeps it."""

    cell_pairs: Ints  # [tokens, most blocks]; padded with 0
    seen: npt.NDArray[np.bool_]  # which cells are no padding
    pair_cells: Ints  # [pairs]
    segments: tuple[Segment, ...]

    @property
    def in_order(self) -> bool:
        """Whether pairs and cells are the same, in the same order."""
        return bool(
            self.seen.all()
            and self.pair_cells.size == self.cell_pairs.size
            and (self.pair_cells == np.arange(self.pair_cells.size)).all()
        )


@dataclass(frozen=True, slots=True)
class Group:
    """Short rows' tokens that see about as many blocks as each other."""

    tokens: Sequence[int]  # in the column
    positions: Sequence[int]
    first: Sequence[int]  # number in its sequence of the first block that each token sees
    seen: Seen


@dataclass(frozen=True, slots=True)
class LongRow:
    """A row that prefills: a run of the column against all that its sequence has."""

    begin: int  # in the column
    start: int  # position of its first token
    end: int
    table: Ints  # blocks, from position 0


@dataclass(frozen=True, slots=True)
class Write:
    """Tokens whose keys and values go into one slab."""

    slab: int
    tokens: Ints | None  # in the column; None is all of it
    blocks: Ints
    places: Ints


@dataclass(frozen=True, slots=True)
class Packed:
    """One step, ready to be fed."""

    rows: Sequence[Row]  # in the order of the column
    tokens: Ints
    positions: Ints
    wanted: Sequence[int]  # in the column: the tokens whose logits are wanted, in the plan's order
    writes: tuple[Write, ...]
    groups: dict[int | None, tuple[Group, ...]]  # by the window of the layers
    long: tuple[LongRow, ...]


def pack(rows: Sequence[Row], *, block_tokens: int, slab_blocks: int, windows: Iterable[int | None]) -> Packed:
    """Lay the rows out. `windows` are those of the model's layers; None is a layer that sees everything."""
    short = [row for row in rows if len(row.tokens) <= SHORT_MAX]
    long = [row for row in rows if len(row.tokens) > SHORT_MAX]
    begins: dict[str, int] = {}
    column = 0
    for row in (*short, *long):
        begins[row.sequence_id] = column
        column += len(row.tokens)
    tokens = np.array([token for row in (*short, *long) for token in row.tokens], dtype=np.int32)
    positions = np.concatenate([np.arange(row.start, row.end, dtype=np.int32) for row in (*short, *long)])
    blocks = np.concatenate([_blocks_written(row, block_tokens) for row in (*short, *long)])
    looks = [(row.blocks, position) for row in short for position in range(row.start, row.end)]
    return Packed(
        rows=(*short, *long),
        tokens=tokens,
        positions=positions,
        wanted=[begins[row.sequence_id] + offset for row in rows for offset in _wanted(row)],
        writes=tuple(_writes(blocks, positions % block_tokens, slab_blocks)),
        groups={window: tuple(_groups(looks, block_tokens, window)) for window in windows},
        long=tuple(
            LongRow(begins[row.sequence_id], row.start, row.end, np.array(row.blocks, dtype=np.int32)) for row in long
        ),
    )


def cells_of(seen: Seen, slab_blocks: int) -> Cells:
    """Pairs of blocks and the tokens that see them, by slab and by how many see the same."""
    counts = np.array([len(blocks) for blocks in seen])
    width = int(counts.max())
    pair_blocks = np.array([block for blocks in seen for block in blocks])
    pair_tokens = np.repeat(np.arange(len(seen)), counts)
    pair_columns = np.arange(len(pair_blocks)) - np.repeat(np.cumsum(counts) - counts, counts)
    cells = pair_tokens * width + pair_columns

    blocks, block_of_pair, owner_counts = np.unique(pair_blocks, return_inverse=True, return_counts=True)
    rank_in_block = _ranks(block_of_pair, owner_counts)
    room = 2 ** np.ceil(np.log2(owner_counts)).astype(np.int64)  # like sizes together: few segments, little padding
    slabs = blocks // slab_blocks

    cell_pairs = np.zeros(len(seen) * width, dtype=np.int32)
    pair_cells: list[Ints] = []
    segments: list[Segment] = []
    base = 0
    for slab, size in sorted(set(zip(slabs.tolist(), room.tolist(), strict=True))):
        members = np.flatnonzero((slabs == slab) & (room == size))
        within, slot_of_member = _slots(blocks[members] % slab_blocks)
        slots = within.stop - within.start if isinstance(within, slice) else len(within)
        slot_of_block = np.full(len(blocks), -1)
        slot_of_block[members] = slot_of_member
        pairs = np.flatnonzero(slot_of_block[block_of_pair] >= 0)
        places = slot_of_block[block_of_pair[pairs]] * size + rank_in_block[pairs]
        owners, back = np.zeros(slots * size, dtype=np.int32), np.zeros(slots * size, dtype=np.int32)
        owners[places] = pair_tokens[pairs]
        back[places] = cells[pairs]
        cell_pairs[cells[pairs]] = base + places
        segments.append(Segment(slab, within, owners.reshape(slots, size)))
        pair_cells.append(back)
        base += slots * size
    return Cells(
        cell_pairs=cell_pairs.reshape(len(seen), width),
        seen=np.arange(width)[None] < counts[:, None],
        pair_cells=np.concatenate(pair_cells),
        segments=tuple(segments),
    )


def _wanted(row: Row) -> range:
    return range(len(row.tokens) - 1 - row.drafted, len(row.tokens)) if row.samples else range(0)


def _blocks_written(row: Row, block_tokens: int) -> Ints:
    if len(row.tokens) == 1:
        return np.array([row.blocks[row.start // block_tokens]], dtype=np.int32)
    return np.array(row.blocks, dtype=np.int32)[np.arange(row.start, row.end) // block_tokens]


def _writes(blocks: Ints, places: Ints, slab_blocks: int) -> Iterator[Write]:
    slabs = blocks // slab_blocks
    for slab in sorted(set(slabs.tolist())):
        chosen = np.flatnonzero(slabs == slab).astype(np.int32)
        everything = len(chosen) == len(blocks)
        yield Write(slab, None if everything else chosen, blocks[chosen] % slab_blocks, places[chosen])


def _groups(looks: Sequence[tuple[tuple[int, ...], int]], block_tokens: int, window: int | None) -> Iterator[Group]:
    """All tokens together, unless padding the ones that see little to the one that sees most would waste too much."""
    if not looks:
        return
    firsts = [0 if window is None else max(0, position - window + 1) // block_tokens for _, position in looks]
    seen = [
        blocks[first : position // block_tokens + 1] for (blocks, position), first in zip(looks, firsts, strict=True)
    ]
    order = list(range(len(looks)))
    if len(max(seen, key=len)) > _too_wide(len(min(seen, key=len))):
        order.sort(key=lambda token: len(seen[token]))
    begin = 0
    for index in range(1, len(order) + 1):
        if index == len(order) or len(seen[order[index]]) > _too_wide(len(seen[order[begin]])):
            chosen = order[begin:index]
            yield Group(
                tokens=chosen,
                positions=[looks[token][1] for token in chosen],
                first=[firsts[token] for token in chosen],
                seen=tuple(seen[token] for token in chosen),
            )
            begin = index


def _too_wide(narrowest: int) -> int:
    return _WIDTHS * max(narrowest, _NARROW)


def _ranks(block_of_pair: npt.NDArray[np.intp], owner_counts: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """For each pair, how many pairs of the same block come before it."""
    order = np.argsort(block_of_pair, kind="stable")
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order)) - np.repeat(np.cumsum(owner_counts) - owner_counts, owner_counts)
    return ranks


def _slots(blocks: npt.NDArray[np.int64]) -> tuple[Ints | slice, npt.NDArray[np.int64]]:
    """How to take these sorted blocks out of their slab, and where each of them then is."""
    low, high = int(blocks[0]), int(blocks[-1]) + 1
    if high - low <= _SLICE_WASTE * len(blocks):
        return slice(low, high), blocks - low
    return blocks.astype(np.int32), np.arange(len(blocks))
