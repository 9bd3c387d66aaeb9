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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from paddock.engine.step import Row

Ints: TypeAlias = npt.NDArray[np.int32]

SHORT_MAX: Final = 8  # tokens of a row that attends by pairs; from there on its keys are better put together once
_SLICE_WASTE: Final = 1.5  # a slice may hold so many times the blocks that are wanted of it; else they are gathered


@dataclass(frozen=True, slots=True)
class Segment:
    """Blocks of one slab, and the tokens that see each of them."""

    slab: int
    blocks: Ints | slice  # within the slab
    owners: Ints  # [blocks, most owners]: tokens of the group, padded with 0

    @property
    def pairs(self) -> int:
        return self.owners.size


@dataclass(frozen=True, slots=True)
class Group:
    """Short rows' tokens that see about as many blocks as each other."""

    tokens: Ints  # in the column
    positions: Ints
    first: Ints  # number in its sequence of the first block that each token sees
    cell_pairs: Ints  # [tokens, most blocks]; padded with 0
    cells_seen: npt.NDArray[np.bool_]  # which cells are no padding
    pair_cells: Ints  # [pairs]
    segments: tuple[Segment, ...]


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

    tokens: Ints
    positions: Ints
    wanted: Ints  # in the column: the tokens whose logits are wanted, in the plan's order
    writes: tuple[Write, ...]
    short: Ints  # tokens of short rows
    groups: Mapping[int | None, tuple[Group, ...]]  # by the window of the layers
    long: tuple[LongRow, ...]


def pack(rows: Sequence[Row], *, block_tokens: int, slab_blocks: int, windows: Iterable[int | None]) -> Packed:
    """Lay the rows out. `windows` are those of the model's layers; None is a layer that sees everything."""
    ordered = sorted(range(len(rows)), key=lambda index: len(rows[index].tokens) > SHORT_MAX)  # stable
    begins, column = [0] * len(rows), 0
    for index in ordered:
        begins[index], column = column, column + len(rows[index].tokens)
    in_order = [rows[index] for index in ordered]
    tokens = np.array([token for row in in_order for token in row.tokens], dtype=np.int32)
    positions = np.concatenate([np.arange(row.start, row.end, dtype=np.int32) for row in in_order])
    tables = [np.array(row.blocks, dtype=np.int32) for row in in_order]
    of_row = np.repeat(np.arange(len(rows)), [len(row.tokens) for row in in_order])
    blocks = np.array(
        [tables[row][position // block_tokens] for row, position in zip(of_row, positions, strict=True)], dtype=np.int32
    )
    wanted = [begins[index] + offset for index, row in enumerate(rows) for offset in _wanted(row)]
    short_count = int(sum(len(row.tokens) <= SHORT_MAX for row in rows))
    short = np.flatnonzero(of_row < short_count).astype(np.int32)
    return Packed(
        tokens=tokens,
        positions=positions,
        wanted=np.array(wanted, dtype=np.int32),
        writes=tuple(_writes(blocks, positions % block_tokens, slab_blocks)),
        short=short,
        groups={
            window: tuple(
                _groups(
                    short, positions[short], [tables[row] for row in of_row[short]], block_tokens, slab_blocks, window
                )
            )
            for window in windows
        },
        long=tuple(
            LongRow(begins[index], rows[index].start, rows[index].end, np.array(rows[index].blocks, dtype=np.int32))
            for index in ordered[short_count:]
        ),
    )


def _wanted(row: Row) -> range:
    return range(len(row.tokens) - 1 - row.drafted, len(row.tokens)) if row.samples else range(0)


def _writes(blocks: Ints, places: Ints, slab_blocks: int) -> Iterator[Write]:
    slabs = blocks // slab_blocks
    for slab in np.unique(slabs):
        chosen = np.flatnonzero(slabs == slab).astype(np.int32)
        everything = len(chosen) == len(blocks)
        yield Write(int(slab), None if everything else chosen, blocks[chosen] % slab_blocks, places[chosen])


def _groups(
    tokens: Ints, positions: Ints, tables: Sequence[Ints], block_tokens: int, slab_blocks: int, window: int | None
) -> Iterator[Group]:
    """Tokens sorted by how much they see, cut where the longest sees twice as much as the shortest: cells are padded."""
    if not len(tokens):
        return
    last = positions // block_tokens
    first = np.zeros_like(last) if window is None else np.maximum(0, positions - window + 1) // block_tokens
    counts = last - first + 1
    order = np.argsort(counts, kind="stable")
    begin = 0
    for index in range(1, len(order) + 1):
        if index == len(order) or counts[order[index]] > 2 * max(counts[order[begin]], 4):
            chosen = order[begin:index]
            seen = [tables[token][first[token] : last[token] + 1] for token in chosen]
            yield _group(tokens[chosen], positions[chosen], first[chosen], seen, slab_blocks)
            begin = index


def _group(tokens: Ints, positions: Ints, first: Ints, seen: Sequence[Ints], slab_blocks: int) -> Group:
    counts = np.array([len(blocks) for blocks in seen])
    width = int(counts.max())
    pair_tokens = np.repeat(np.arange(len(seen), dtype=np.int32), counts)
    pair_columns = np.concatenate([np.arange(count, dtype=np.int32) for count in counts])
    pair_blocks = np.concatenate(seen)
    cells = pair_tokens * width + pair_columns

    blocks, block_of_pair, owner_counts = np.unique(pair_blocks, return_inverse=True, return_counts=True)
    order = np.argsort(block_of_pair, kind="stable")
    starts = np.concatenate([[0], np.cumsum(owner_counts)])
    room = 2 ** np.ceil(np.log2(owner_counts)).astype(np.int32)  # like sizes together: few segments, little padding

    cell_pairs = np.zeros(len(seen) * width, dtype=np.int32)
    pair_cells: list[Ints] = []
    segments: list[Segment] = []
    base = 0
    for slab, size in sorted(set(zip((blocks // slab_blocks).tolist(), room.tolist(), strict=True))):
        members = np.flatnonzero((blocks // slab_blocks == slab) & (room == size))
        within, rank = _slots(blocks[members] % slab_blocks)
        slots = within.stop - within.start if isinstance(within, slice) else len(within)
        owners = np.zeros((slots, size), dtype=np.int32)
        back = np.zeros((slots, size), dtype=np.int32)
        for member, slot in zip(members, rank, strict=True):
            pairs = order[starts[member] : starts[member + 1]]
            owners[slot, : len(pairs)] = pair_tokens[pairs]
            back[slot, : len(pairs)] = cells[pairs]
            cell_pairs[cells[pairs]] = base + slot * size + np.arange(len(pairs))
        segments.append(Segment(slab, within, owners))
        pair_cells.append(back.reshape(-1))
        base += slots * size
    cells_seen = np.arange(width)[None] < counts[:, None]
    return Group(
        tokens=tokens,
        positions=positions,
        first=first.astype(np.int32),
        cell_pairs=cell_pairs.reshape(len(seen), width),
        cells_seen=cells_seen,
        pair_cells=np.concatenate(pair_cells),
        segments=tuple(segments),
    )


def _slots(blocks: Ints) -> tuple[Ints | slice, Ints]:
    """How to take these sorted blocks out of their slab, and where each of them then is."""
    low, high = int(blocks[0]), int(blocks[-1]) + 1
    if high - low <= _SLICE_WASTE * len(blocks):
        return slice(low, high), blocks - low
    return blocks, np.arange(len(blocks), dtype=np.int32)
