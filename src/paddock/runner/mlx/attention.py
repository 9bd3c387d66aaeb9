"""Attention over paged keys and values: by pairs for short rows, put together for long ones. packing.py has the picture."""

# MLX's stubs leave the shapes of `reshape` and `transpose` untyped.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from typing import Final

import mlx.core as mx

from paddock.runner.mlx.packing import LongRow
from paddock.runner.mlx.slabs import Slabs
from paddock.runner.mlx.step_arrays import CellArrays, GroupArrays, SegmentArrays, StepArrays

SCORES_BYTES_MAX: Final = 64 * 1024 * 1024  # a long row is cut so that its scores take no more


def attend(
    queries: mx.array,
    keys: Slabs,
    values: Slabs,
    step: StepArrays,
    scale: float,
    window: int | None,
    sinks: mx.array | None,
    scores_bytes_max: int = SCORES_BYTES_MAX,
) -> mx.array:
    """The column's queries [tokens, heads, head size] against what their sequences have written, this step included."""
    looks = step.looks[window]
    parts: list[mx.array] = []
    for group in looks.groups:
        mine = queries if group.tokens is None else queries[group.tokens]
        parts.append(_attend_group(mine, keys, values, group, scale, sinks))
    if looks.back_in_order is not None:
        parts = [mx.concatenate(parts)[looks.back_in_order]]
    for row in step.long:
        mine = queries[row.begin : row.begin + row.end - row.start]
        parts.append(_attend_long(mine, keys, values, row, scale, window, sinks, scores_bytes_max))
    return parts[0] if len(parts) == 1 else mx.concatenate(parts)


def _attend_group(
    queries: mx.array, keys: Slabs, values: Slabs, group: GroupArrays, scale: float, sinks: mx.array | None
) -> mx.array:
    """[tokens of the group, heads, head size] to the same with the values' head size."""
    cells = group.cells
    count, heads, _ = queries.shape
    kv_heads, tokens = keys.heads, keys.block_tokens
    repeats = heads // kv_heads
    grouped = (queries * scale).reshape(count, kv_heads, repeats, -1)

    parts: list[mx.array] = []
    for segment in cells.segments:
        mine = grouped if count == segment.slots * segment.most == 1 else grouped[segment.owners]
        scores = _to_blocks(mine, segment) @ keys.read(segment.slab, segment.blocks).swapaxes(-1, -2)
        parts.append(_to_pairs(scores, segment, repeats))
    scores = _pairs_to_cells(parts, cells)  # [tokens, blocks, kv heads, repeats, keys of a block]

    scores = scores.transpose(0, 2, 3, 1, 4).reshape(count, kv_heads, repeats, -1)
    weights = _softmax(mx.where(group.mask, scores, -mx.inf), sinks)
    weights = weights.reshape(count, kv_heads, repeats, -1, tokens).transpose(0, 3, 1, 2, 4)
    weights = weights.reshape(-1, kv_heads, repeats, tokens)
    if not cells.in_order:
        weights = weights[cells.pair_cells]

    parts, begin = [], 0
    for segment in cells.segments:
        end = begin + segment.slots * segment.most
        mine = weights if len(cells.segments) == 1 else weights[begin:end]
        begin = end
        summed = _to_blocks(mine, segment) @ values.read(segment.slab, segment.blocks)
        parts.append(_to_pairs(summed, segment, repeats))
    outputs = _pairs_to_cells(parts, cells)
    if cells.seen is not None:
        outputs = mx.where(cells.seen, outputs, 0)
    return outputs.sum(axis=1).reshape(count, heads, -1)


def _attend_long(
    queries: mx.array,
    keys: Slabs,
    values: Slabs,
    row: LongRow,
    scale: float,
    window: int | None,
    sinks: mx.array | None,
    scores_bytes_max: int,
) -> mx.array:
    """[tokens, heads, head size] of one row, likewise."""
    block_tokens = keys.block_tokens
    outputs: list[mx.array] = []
    length = row.end - row.start
    heads = queries.shape[1]
    step = max(1, min(length, scores_bytes_max // (heads * row.end * 4)))
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


def _pairs_to_cells(parts: list[mx.array], cells: CellArrays) -> mx.array:
    """[pairs, …] by segment to [tokens, blocks, …]."""
    pairs = parts[0] if len(parts) == 1 else mx.concatenate(parts)
    if cells.in_order:
        return pairs.reshape(*cells.shape, *pairs.shape[1:])
    return pairs[cells.cell_pairs]


def _softmax(scores: mx.array, sinks: mx.array | None) -> mx.array:
    """Over the last axis of [tokens, kv heads, repeats, keys]; a sink is one more key that has no value."""
    if sinks is None:
        return mx.softmax(scores, axis=-1, precise=True)
    column = mx.broadcast_to(sinks.reshape(1, *scores.shape[1:3], 1).astype(scores.dtype), (*scores.shape[:3], 1))
    return mx.softmax(mx.concatenate([scores, column], axis=-1), axis=-1, precise=True)[..., :-1]
