"""Attention over paged keys and values: by pairs for short rows, put together for long ones. packing.py has the picture."""

from dataclasses import dataclass
from typing import Final

import mlx.core as mx

from paddock.runner.mlx.packing import Group, LongRow, Packed, Segment
from paddock.runner.mlx.slabs import Slabs

_SCORES_BYTES_MAX: Final = 64 * 1024 * 1024  # a long row is cut so that its scores take no more


@dataclass(frozen=True, slots=True)
class SegmentArrays:
    slab: int
    blocks: mx.array | slice
    owners: mx.array
    slots: int
    most: int  # owners a block

    @classmethod
    def of(cls, segment: Segment) -> "SegmentArrays":
        slots, most = segment.owners.shape
        blocks = segment.blocks if isinstance(segment.blocks, slice) else mx.array(segment.blocks)
        return cls(segment.slab, blocks, mx.array(segment.owners.reshape(-1)), slots, most)


@dataclass(frozen=True, slots=True)
class GroupArrays:
    """A group on the device. Made once a step, used by every layer."""

    tokens: mx.array
    cell_pairs: mx.array
    cells_seen: mx.array
    pair_cells: mx.array
    mask: mx.array  # [tokens, 1, 1, keys]
    segments: tuple[SegmentArrays, ...]
    count: int
    width: int

    @classmethod
    def of(cls, group: Group, *, block_tokens: int, window: int | None) -> "GroupArrays":
        count, width = group.cell_pairs.shape
        positions = mx.array(group.positions)[:, None]
        keys = mx.array(group.first)[:, None] * block_tokens + mx.arange(width * block_tokens)[None]
        mask = keys <= positions
        if window is not None:
            mask = mask & (keys > positions - window)
        return cls(
            tokens=mx.array(group.tokens),
            cell_pairs=mx.array(group.cell_pairs),
            cells_seen=mx.array(group.cells_seen)[:, :, None, None, None],
            pair_cells=mx.array(group.pair_cells),
            mask=mask[:, None, None],
            segments=tuple(SegmentArrays.of(segment) for segment in group.segments),
            count=count,
            width=width,
        )


def attend_group(
    queries: mx.array, keys: Slabs, values: Slabs, group: GroupArrays, scale: float, sinks: mx.array | None
) -> mx.array:
    """[tokens of the group, heads, head size] to the same with the values' head size."""
    count, width = group.count, group.width
    heads = queries.shape[1]
    parts: list[mx.array] = []
    kv_heads = repeats = tokens = 0
    for segment in group.segments:
        block_keys = keys.read(segment.slab, segment.blocks)
        kv_heads, tokens = block_keys.shape[1], block_keys.shape[2]
        repeats = heads // kv_heads
        grouped = (queries * scale).reshape(count, kv_heads, repeats, -1)[segment.owners]
        scores = _to_blocks(grouped, segment) @ block_keys.swapaxes(-1, -2)
        parts.append(_to_pairs(scores, segment, repeats))
    pairs = parts[0] if len(parts) == 1 else mx.concatenate(parts)

    scores = pairs[group.cell_pairs].transpose(0, 2, 3, 1, 4).reshape(count, kv_heads, repeats, width * tokens)
    weights = _softmax(mx.where(group.mask, scores, -mx.inf), sinks)
    weights = weights.reshape(count, kv_heads, repeats, width, tokens).transpose(0, 3, 1, 2, 4)
    weights = weights.reshape(count * width, kv_heads, repeats, tokens)[group.pair_cells]

    parts, begin = [], 0
    for segment in group.segments:
        end = begin + segment.slots * segment.most
        mine = weights if len(group.segments) == 1 else weights[begin:end]
        begin = end
        summed = _to_blocks(mine, segment) @ values.read(segment.slab, segment.blocks)
        parts.append(_to_pairs(summed, segment, repeats))
    pairs = parts[0] if len(parts) == 1 else mx.concatenate(parts)
    cells = mx.where(group.cells_seen, pairs[group.cell_pairs], 0)
    return cells.sum(axis=1).reshape(count, heads, -1)


def attend_long(
    queries: mx.array,
    keys: Slabs,
    values: Slabs,
    row: LongRow,
    scale: float,
    window: int | None,
    sinks: mx.array | None,
) -> mx.array:
    """[tokens, heads, head size] of one row, likewise."""
    block_tokens = keys.block_tokens
    outputs: list[mx.array] = []
    length = row.end - row.start
    heads = queries.shape[1]
    step = max(1, min(length, _SCORES_BYTES_MAX // (heads * row.end * 4)))
    seen_from = 0 if window is None else max(0, row.start - window + 1) // block_tokens
    table = row.table[seen_from : -(-row.end // block_tokens)]
    all_keys, all_values = keys.together(table), values.together(table)
    offset = seen_from * block_tokens
    for begin in range(0, length, step):
        end = min(begin + step, length)
        until = row.start + end - offset
        mask: mx.array | str = "causal"
        if window is not None:
            positions = mx.arange(row.start + begin, row.start + end)[:, None]
            key_positions = mx.arange(offset, offset + until)[None]
            mask = (key_positions <= positions) & (key_positions > positions - window)
        outputs.append(
            mx.fast.scaled_dot_product_attention(
                queries[begin:end].swapaxes(0, 1)[None],
                all_keys[:, :, :until],
                all_values[:, :, :until],
                scale=scale,
                mask=mask,
                sinks=sinks,
            )[0].swapaxes(0, 1)
        )
    return outputs[0] if len(outputs) == 1 else mx.concatenate(outputs)


@dataclass(frozen=True, slots=True)
class StepArrays:
    """What every layer of one step needs."""

    packed: Packed
    positions: mx.array
    writes: tuple[tuple[int, mx.array | None, mx.array, mx.array], ...]
    groups: dict[int | None, tuple[GroupArrays, ...]]
    ordered: dict[int | None, mx.array | None]  # brings the groups' tokens back into the column's order

    @classmethod
    def of(cls, packed: Packed, *, block_tokens: int) -> "StepArrays":
        groups = {
            window: tuple(GroupArrays.of(group, block_tokens=block_tokens, window=window) for group in each)
            for window, each in packed.groups.items()
        }
        ordered: dict[int | None, mx.array | None] = {}
        for window, each in packed.groups.items():
            order = [token for group in each for token in group.tokens.tolist()]
            in_place = order == list(range(len(order)))
            ordered[window] = None if in_place else mx.argsort(mx.array(order))
        return cls(
            packed=packed,
            positions=mx.array(packed.positions),
            writes=tuple(
                (
                    write.slab,
                    None if write.tokens is None else mx.array(write.tokens),
                    mx.array(write.blocks),
                    mx.array(write.places),
                )
                for write in packed.writes
            ),
            groups=groups,
            ordered=ordered,
        )


def attend(
    queries: mx.array,
    keys: Slabs,
    values: Slabs,
    step: StepArrays,
    scale: float,
    window: int | None,
    sinks: mx.array | None,
) -> mx.array:
    """The column's queries [tokens, heads, head size] against what their sequences have written, this step included."""
    groups = step.groups[window]
    parts: list[mx.array] = []
    whole = len(groups) == 1 and not step.packed.long and step.ordered[window] is None
    for group in groups:
        mine = queries if whole else queries[group.tokens]
        parts.append(attend_group(mine, keys, values, group, scale, sinks))
    if parts:
        short = parts[0] if len(parts) == 1 else mx.concatenate(parts)
        order = step.ordered[window]
        parts = [short if order is None else short[order]]
    for row in step.packed.long:
        mine = queries[row.begin : row.begin + row.end - row.start]
        parts.append(attend_long(mine, keys, values, row, scale, window, sinks))
    return parts[0] if len(parts) == 1 else mx.concatenate(parts)


def _to_blocks(pairs: mx.array, segment: SegmentArrays) -> mx.array:
    """[pairs, kv heads, repeats, n] to [blocks, kv heads, owners × repeats, n]: one product reads a block for all owners."""
    if segment.most == 1:
        return pairs
    _, kv_heads, repeats, size = pairs.shape
    split = pairs.reshape(segment.slots, segment.most, kv_heads, repeats, size).transpose(0, 2, 1, 3, 4)
    return split.reshape(segment.slots, kv_heads, segment.most * repeats, size)


def _to_pairs(blocks: mx.array, segment: SegmentArrays, repeats: int) -> mx.array:
    """And back."""
    if segment.most == 1:
        return blocks
    slots, kv_heads, _, size = blocks.shape
    split = blocks.reshape(slots, kv_heads, segment.most, repeats, size).transpose(0, 2, 1, 3, 4)
    return split.reshape(slots * segment.most, kv_heads, repeats, size)


def _softmax(scores: mx.array, sinks: mx.array | None) -> mx.array:
    """Over the last axis of [tokens, kv heads, repeats, keys]; a sink is one more key that has no value."""
    if sinks is None:
        return mx.softmax(scores, axis=-1, precise=True)
    column = mx.broadcast_to(sinks.reshape(1, *scores.shape[1:3], 1).astype(scores.dtype), (*scores.shape[:3], 1))
    return mx.softmax(mx.concatenate([scores, column], axis=-1), axis=-1, precise=True)[..., :-1]
