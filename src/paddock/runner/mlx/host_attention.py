"""Attention over paged keys and values on a CPU: what attention.py says, in NumPy, on all cores.

Short rows attend by pairs of block and token, as there. A long row is cut into tiles of queries; a tile reads the keys up to
its last token and no further, so half of the square that nobody may see is never computed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from paddock.runner.mlx.host import Floats, Task, side_by_side
from paddock.runner.mlx.host_slabs import HostSlabs
from paddock.runner.mlx.packing import Cells, LongRow, Segment

_TILE: Final = 64  # queries of a long row that are worked on together
_SPLIT_MIN: Final = 16  # blocks of a segment that are worth a second thread
SCORES_MAX: Final = 512 * 1024  # scores of a tile: more than that are split by heads, to stay in a near cache

Work: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class HostGroup:
    """Short rows' tokens that see about as many blocks as each other."""

    tokens: npt.NDArray[np.int64]  # in the column
    cells: Cells
    hidden: npt.NDArray[np.bool_]  # [tokens, 1, 1, keys]


@dataclass(frozen=True, slots=True)
class Heads:
    """What a layer asks of its attention."""

    scale: float
    window: int | None
    sinks: Floats | None  # a sink is one more key that has no value; one a query head


def attend_host(
    queries: Floats,
    keys: HostSlabs,
    values: HostSlabs,
    groups: Sequence[HostGroup],
    long: Sequence[LongRow],
    heads: Heads,
    scores_max: int = SCORES_MAX,
) -> Floats:
    """The column's queries [tokens, heads, head size] against what their sequences have written, this step included."""
    count, query_heads, _ = queries.shape
    output = np.empty((count, query_heads, values.head_size), dtype=np.float32)
    scaled = queries * np.float32(heads.scale)
    tasks: list[Task] = []
    for group in groups:
        _attend_group(scaled, keys, values, group, heads, output)
    for row in long:
        tasks += _long_tasks(scaled, keys, values, row, heads, output, scores_max)
    side_by_side(tasks)
    return output


def _attend_group(
    queries: Floats, keys: HostSlabs, values: HostSlabs, group: HostGroup, heads: Heads, output: Floats
) -> None:
    cells = group.cells
    tokens, width = cells.cell_pairs.shape
    kv_heads, size = keys.heads, keys.block_tokens
    repeats = queries.shape[1] // kv_heads
    mine = queries[group.tokens].reshape(tokens, kv_heads, repeats, -1)

    pairs = len(cells.pair_cells)
    scores = np.empty((pairs, kv_heads, repeats, size), dtype=np.float32)
    tasks: list[Task] = []
    begin = 0
    for segment in cells.segments:
        end = begin + segment.owners.size
        tasks += _score_tasks(mine, keys, segment, scores[begin:end])
        begin = end
    side_by_side(tasks)

    # [tokens, kv heads, repeats, blocks × tokens of a block]
    by_token = scores[cells.cell_pairs].transpose(0, 2, 3, 1, 4).reshape(tokens, kv_heads, repeats, width * size)
    np.copyto(by_token, -np.inf, where=group.hidden)
    weights = _softmax(by_token, heads.sinks)
    weights = weights.reshape(tokens, kv_heads, repeats, width, size).transpose(0, 3, 1, 2, 4)
    weights = weights.reshape(tokens * width, kv_heads, repeats, size)[cells.pair_cells]

    summed = np.empty((pairs, kv_heads, repeats, values.head_size), dtype=np.float32)
    tasks, begin = [], 0
    for segment in cells.segments:
        end = begin + segment.owners.size
        tasks += _sum_tasks(weights[begin:end], values, segment, summed[begin:end])
        begin = end
    side_by_side(tasks)
    by_cell = summed[cells.cell_pairs]
    if not cells.seen.all():
        by_cell[~cells.seen] = 0
    output[group.tokens] = by_cell.sum(axis=1).reshape(tokens, kv_heads * repeats, -1)


def _score_tasks(queries: Floats, keys: HostSlabs, segment: Segment, scores: Floats) -> list[Task]:
    slots, most = segment.owners.shape
    kv_heads, repeats = queries.shape[1:3]
    read = keys.slab(segment.slab)[segment.blocks]
    owners = segment.owners

    def work(begin: int, end: int) -> None:
        part = read[begin:end].swapaxes(-1, -2)
        if most == 1:
            np.matmul(queries[owners[begin:end, 0]], part, out=scores[begin:end])
            return
        mine = queries[owners[begin:end]].transpose(0, 2, 1, 3, 4).reshape(end - begin, kv_heads, most * repeats, -1)
        found = np.matmul(mine, part).reshape(end - begin, kv_heads, most, repeats, -1)
        scores[begin * most : end * most] = found.transpose(0, 2, 1, 3, 4).reshape(-1, *scores.shape[1:])

    return _halves(work, slots)


def _sum_tasks(weights: Floats, values: HostSlabs, segment: Segment, summed: Floats) -> list[Task]:
    slots, most = segment.owners.shape
    kv_heads, repeats, size = weights.shape[1:]
    read = values.slab(segment.slab)[segment.blocks]

    def work(begin: int, end: int) -> None:
        part = read[begin:end]
        if most == 1:
            np.matmul(weights[begin:end], part, out=summed[begin:end])
            return
        mine = weights[begin * most : end * most].reshape(end - begin, most, kv_heads, repeats, size)
        mine = mine.transpose(0, 2, 1, 3, 4).reshape(end - begin, kv_heads, most * repeats, size)
        found = np.matmul(mine, part).reshape(end - begin, kv_heads, most, repeats, -1)
        summed[begin * most : end * most] = found.transpose(0, 2, 1, 3, 4).reshape(-1, *summed.shape[1:])

    return _halves(work, slots)


def _long_tasks(
    queries: Floats,
    keys: HostSlabs,
    values: HostSlabs,
    row: LongRow,
    heads: Heads,
    output: Floats,
    scores_max: int,
) -> list[Task]:
    size, window = keys.block_tokens, heads.window
    seen_from = 0 if window is None else max(0, row.start - window + 1) // size
    table = row.table[seen_from : -(-row.end // size)]
    all_keys, all_values = keys.together(table), values.together(table)
    offset = seen_from * size
    kv_heads, repeats = keys.heads, queries.shape[1] // keys.heads
    tasks: list[Task] = []

    def work(start: int, end: int, head: int, head_end: int) -> None:
        """Queries at positions `start` to `end`, for some of the heads."""
        low = 0 if window is None else max(0, start - window + 1 - offset)
        high = end - offset
        count, heads_here = end - start, head_end - head
        at = slice(row.begin + start - row.start, row.begin + end - row.start)
        mine = queries[at, head * repeats : head_end * repeats].reshape(count, heads_here, repeats, -1)
        # The query heads of one head of keys stand below each other: one product for all of them.
        mine = mine.transpose(1, 2, 0, 3).reshape(heads_here, repeats * count, -1)
        scores = np.matmul(mine, all_keys[head:head_end, low:high].swapaxes(-1, -2))
        scores = scores.reshape(heads_here, repeats, count, high - low)
        scores[..., start - offset - low :] += _ahead(count)
        if window is not None:
            positions = np.arange(start, end)[:, None]
            key_positions = np.arange(offset + low, offset + high)[None]
            np.copyto(scores, -np.inf, where=key_positions <= positions - window)
        sinks = None if heads.sinks is None else heads.sinks[head * repeats : head_end * repeats]
        sums = _exponentials(scores, None if sinks is None else sinks.reshape(heads_here, repeats, 1, 1))
        found = np.matmul(scores.reshape(heads_here, repeats * count, -1), all_values[head:head_end, low:high])
        found = found.reshape(heads_here, repeats, count, -1)
        found /= sums
        output[at, head * repeats : head_end * repeats] = found.transpose(2, 0, 1, 3).reshape(
            count, heads_here * repeats, -1
        )

    for start in range(row.start, row.end, _TILE):
        end = min(start + _TILE, row.end)
        together = max(1, scores_max // (repeats * (end - start) * (end - offset)))
        for head in range(0, kv_heads, together):
            head_end = min(head + together, kv_heads)
            tasks.append(lambda start=start, end=end, head=head, head_end=head_end: work(start, end, head, head_end))
    # The last tiles have the most to read: begin with them, so that no core is left with a long one at the end.
    return tasks[::-1]


_AHEAD: Final = np.triu(np.full((_TILE, _TILE), -np.inf, dtype=np.float32), 1)


def _ahead(count: int) -> Floats:
    """What hides the keys behind each of `count` queries in a row."""
    return _AHEAD[:count, :count]


def _halves(work: Work, count: int) -> list[Task]:
    if count < _SPLIT_MIN:
        return [lambda: work(0, count)]
    middle = count // 2
    return [lambda: work(0, middle), lambda: work(middle, count)]


def _softmax(scores: Floats, sinks: Floats | None) -> Floats:
    """Over the last axis of [tokens, kv heads, repeats, keys], in place."""
    column = None if sinks is None else sinks.reshape(1, *scores.shape[1:3], 1)
    scores /= _exponentials(scores, column)
    return scores


def _exponentials(scores: Floats, sinks: Floats | None) -> Floats:
    """Make `scores` their exponentials, in place, less the largest of each line; returns the sums of the lines."""
    most = scores.max(axis=-1, keepdims=True)
    if sinks is not None:
        most = np.maximum(most, sinks)
    scores -= most
    np.exp(scores, out=scores)
    sums = scores.sum(axis=-1, keepdims=True)
    return sums if sinks is None else sums + np.exp(sinks - most)
