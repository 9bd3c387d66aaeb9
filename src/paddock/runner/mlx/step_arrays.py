"""What every layer of a step needs, on the device. Who sees what changes only every so many tokens, and is kept."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Self

import mlx.core as mx
import numpy as np

from paddock.runner.mlx.packing import Cells, Group, LongRow, Packed, Seen, Segment, cells_of

_KEPT_MAX: Final = 16  # groups of the last steps; a step has one for each window and width of its rows


@dataclass(frozen=True, slots=True)
class SegmentArrays:
    slab: int
    blocks: mx.array | slice
    owners: mx.array
    slots: int
    most: int  # owners a block

    @classmethod
    def of(cls, segment: Segment) -> Self:
        slots, most = segment.owners.shape
        blocks = segment.blocks if isinstance(segment.blocks, slice) else mx.array(segment.blocks)
        return cls(segment.slab, blocks, mx.array(segment.owners.reshape(-1)), slots, most)


@dataclass(frozen=True, slots=True)
class CellArrays:
    shape: tuple[int, int]  # tokens, most blocks
    cell_pairs: mx.array
    pair_cells: mx.array
    seen: mx.array | None  # [tokens, blocks, 1, 1, 1]; None when there is no padding
    in_order: bool
    segments: tuple[SegmentArrays, ...]

    @classmethod
    def of(cls, cells: Cells) -> Self:
        tokens, width = cells.cell_pairs.shape
        return cls(
            shape=(tokens, width),
            cell_pairs=mx.array(cells.cell_pairs),
            pair_cells=mx.array(cells.pair_cells),
            seen=None if cells.seen.all() else mx.array(cells.seen.tolist())[:, :, None, None, None],
            in_order=cells.in_order,
            segments=tuple(SegmentArrays.of(segment) for segment in cells.segments),
        )


@dataclass(frozen=True, slots=True)
class GroupArrays:
    tokens: mx.array | None  # in the column; None is all of it
    cells: CellArrays
    mask: mx.array  # [tokens, 1, 1, keys]


@dataclass(frozen=True, slots=True)
class Looks:
    """The short rows as layers of one window see them."""

    groups: tuple[GroupArrays, ...]
    back_in_order: (
        mx.array | None
    )  # brings the groups' tokens, one group behind the other, back into the column's order


@dataclass(frozen=True, slots=True)
class WriteArrays:
    slab: int
    tokens: mx.array | None
    blocks: mx.array
    places: mx.array


@dataclass(frozen=True, slots=True)
class StepArrays:
    positions: mx.array
    writes: tuple[WriteArrays, ...]
    looks: dict[int | None, Looks]
    long: tuple[LongRow, ...]


class StepArrayMaker:
    """Makes them, and remembers who saw what in the last steps."""

    def __init__(self, *, block_tokens: int, slab_blocks: int) -> None:
        self._block_tokens = block_tokens
        self._slab_blocks = slab_blocks
        self._kept: OrderedDict[Seen, CellArrays] = OrderedDict()

    def make(self, packed: Packed) -> StepArrays:
        return StepArrays(
            positions=mx.array(packed.positions),
            writes=tuple(
                WriteArrays(
                    write.slab,
                    None if write.tokens is None else mx.array(write.tokens),
                    mx.array(write.blocks),
                    mx.array(write.places),
                )
                for write in packed.writes
            ),
            looks={window: self._looks(packed, groups, window) for window, groups in packed.groups.items()},
            long=packed.long,
        )

    def _looks(self, packed: Packed, groups: tuple[Group, ...], window: int | None) -> Looks:
        whole = len(groups) == 1 and not packed.long
        order = [token for group in groups for token in group.tokens]
        in_order = order == list(range(len(order)))
        return Looks(
            groups=tuple(self._group(group, window, whole=whole and in_order) for group in groups),
            back_in_order=None if in_order else mx.array(np.argsort(order).astype(np.int32)),
        )

    def _group(self, group: Group, window: int | None, *, whole: bool) -> GroupArrays:
        cells = self._cells(group.seen)
        keys = mx.arange(cells.shape[1] * self._block_tokens)[None]
        positions = mx.array(list(group.positions))[:, None]
        if window is None:
            mask = keys <= positions
        else:
            keys = keys + mx.array(list(group.first))[:, None] * self._block_tokens
            mask = (keys <= positions) & (keys > positions - window)
        return GroupArrays(None if whole else mx.array(list(group.tokens)), cells, mask[:, None, None])

    def _cells(self, seen: Seen) -> CellArrays:
        cells = self._kept.get(seen)
        if cells is None:
            cells = self._kept[seen] = CellArrays.of(cells_of(seen, self._slab_blocks))
            if len(self._kept) > _KEPT_MAX:
                self._kept.popitem(last=False)
        self._kept.move_to_end(seen)
        return cells
