"""Attention over paged keys and values on a CPU: what attention.py says, in NumPy, on all cores.

Short rows attend by runs of blocks (host_runs.py). A long row is cut into tiles of queries; a tile reads the keys up to
its last token and no further, so half of the square that nobody may see is never computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from paddock.runner.mlx.cores import Floats, Task, side_by_side
from paddock.runner.mlx.host_runs import Run
from paddock.runner.mlx.host_slabs import HostSlabs
from paddock.runner.mlx.packing import LongRow

_TILE: Final = 64  # queries of a long row that are worked on together
_VECTORS_MAX: Final = 2  # query heads of a head of keys that are multiplied one by one, without preparing the keys
SCORES_MAX: Final = 512 * 1024  # scores of a tile: more than that are split by heads, to stay in a near cache


@dataclass(frozen=True, slots=True)
class HostGroup:
    """Short rows' tokens that see about as many blocks as each other."""

    tokens: npt.NDArray[np.int64]  # in the column
    runs: tuple[Run, ...]
    hidden: npt.NDArray[np.bool_]  # [tokens, 1, 1, keys]
    parts: int  # into how many tasks it may be shared out


@dataclass(frozen=True, slots=True)
class Heads:
    """What a layer asks of its attention."""

    scale: float
    window: int | None
    sinks: Floats | None  # a sink is one more key that has no value; one a query head


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a layer's attention works on: all heads of the column."""

    queries: Floats  # [tokens, heads, head size], scaled
    keys: HostSlabs
    values: HostSlabs
    heads: Heads
    output: Floats  # [tokens, heads, head size]


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
    scaled = np.multiply(queries, np.float32(heads.scale), order="C")
    asked = Asked(queries=scaled, keys=keys, values=values, heads=heads, output=output)
    side_by_side(attention_tasks(asked, groups, long, scores_max))
    return output


def attention_tasks(
    asked: Asked, groups: Sequence[HostGroup], long: Sequence[LongRow], scores_max: int = SCORES_MAX
) -> list[Task]:
    """Parts that do not depend on each other, to be done once queries, keys and values stand."""
    tasks: list[Task] = []
    # The last tiles of a long row have the most to read: begin with them, so that no core is left with one at the end.
    for row in long:
        tasks += _long_tasks(asked, row, scores_max)
    for group in groups:
        # One token, or some that see the same: shared out by heads.
        parts = min(group.parts, asked.keys.heads)
        for number in range(parts):
            begin, end = (asked.keys.heads * each // parts for each in (number, number + 1))
            tasks.append(lambda group=group, begin=begin, end=end: _attend_group(asked, group, begin, end))
    return tasks


def _attend_group(asked: Asked, group: HostGroup, kv_begin: int, kv_end: int) -> None:
    """The group's tokens, for some heads of keys and those of queries that go with them."""
    tokens, width = len(group.tokens), group.hidden.shape[-1]
    kv_heads = kv_end - kv_begin
    repeats = asked.queries.shape[1] // asked.keys.heads
    mine_heads = slice(kv_begin * repeats, kv_end * repeats)
    mine = asked.queries[group.tokens, mine_heads].reshape(tokens, kv_heads, repeats, -1)
    scores = np.empty((tokens, kv_heads, repeats, width), dtype=np.float32)
    kv = slice(kv_begin, kv_end)
    _score(mine, asked.keys, group.runs, kv, scores)
    np.copyto(scores, -np.inf, where=group.hidden)
    sinks = asked.heads.sinks
    sums = _exponentials(scores, None if sinks is None else sinks[mine_heads].reshape(1, kv_heads, repeats, 1))
    found = np.zeros((tokens, kv_heads, repeats, asked.values.head_size), dtype=np.float32)
    _sum(scores, asked.values, group.runs, kv, found)
    found /= sums
    asked.output[group.tokens, mine_heads] = found.reshape(tokens, kv_heads * repeats, -1)


def _score(queries: Floats, keys: HostSlabs, runs: Sequence[Run], kv: slice, scores: Floats) -> None:
    """Queries [tokens, kv heads, repeats, head size] times the keys of the runs, into their columns of the scores."""
    _, kv_heads, repeats, size = queries.shape
    for run in runs:
        read = keys.slab(run.slab)[kv, run.begin : run.end].swapaxes(-1, -2)
        columns = slice(run.column, run.column + run.places)
        if len(run.owners) == 1:
            into = scores[run.owners[0], :, :, columns]
            if repeats <= _VECTORS_MAX:
                np.matmul(queries[run.owners[0]][:, :, None], read[:, None], out=into[:, :, None])
            else:
                np.matmul(queries[run.owners[0]], read, out=into)
            continue
        owners = list(run.owners)
        together = queries[owners].transpose(1, 0, 2, 3).reshape(kv_heads, -1, size)
        found = np.matmul(together, read).reshape(kv_heads, len(owners), repeats, -1)
        scores[owners, :, :, columns] = found.transpose(1, 0, 2, 3)


def _sum(weights: Floats, values: HostSlabs, runs: Sequence[Run], kv: slice, found: Floats) -> None:
    """Values of the runs times the weights of their columns, added to what was found."""
    _, kv_heads, repeats, size = found.shape
    for run in runs:
        read = values.slab(run.slab)[kv, run.begin : run.end]
        columns = slice(run.column, run.column + run.places)
        if len(run.owners) == 1:
            mine = weights[run.owners[0], :, :, columns]
            if repeats <= _VECTORS_MAX:
                found[run.owners[0]] += np.matmul(mine[:, :, None], read[:, None])[:, :, 0]
            else:
                found[run.owners[0]] += np.matmul(mine, read)
            continue
        owners = list(run.owners)
        together = weights[owners, :, :, columns].transpose(1, 0, 2, 3).reshape(kv_heads, -1, run.places)
        part = np.matmul(together, read).reshape(kv_heads, len(owners), repeats, size)
        found[owners] += part.transpose(1, 0, 2, 3)


class _Gathered:
    """Keys and values that a long row reads, put together by the first task that wants them."""

    def __init__(self, asked: Asked, row: LongRow) -> None:
        size, window = asked.keys.block_tokens, asked.heads.window
        seen_from = 0 if window is None else max(0, row.start - window + 1) // size
        self._asked = asked
        self._table = row.table[seen_from : -(-row.end // size)]
        self.offset = seen_from * size

    # Two threads may come at once: then both put the same together, and one of the two is forgotten.
    @cached_property
    def keys(self) -> Floats:
        return self._asked.keys.together(self._table)

    @cached_property
    def values(self) -> Floats:
        return self._asked.values.together(self._table)


def _long_tasks(asked: Asked, row: LongRow, scores_max: int) -> list[Task]:
    gathered, window = _Gathered(asked, row), asked.heads.window
    offset, queries, output = gathered.offset, asked.queries, asked.output
    kv_heads = asked.keys.heads
    repeats = queries.shape[1] // kv_heads
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
        scores = np.matmul(mine, gathered.keys[head:head_end, low:high].swapaxes(-1, -2))
        scores = scores.reshape(heads_here, repeats, count, high - low)
        scores[..., start - offset - low :] += _ahead(count)
        if window is not None:
            positions = np.arange(start, end)[:, None]
            key_positions = np.arange(offset + low, offset + high)[None]
            np.copyto(scores, -np.inf, where=key_positions <= positions - window)
        sinks = None if asked.heads.sinks is None else asked.heads.sinks[head * repeats : head_end * repeats]
        sums = _exponentials(scores, None if sinks is None else sinks.reshape(heads_here, repeats, 1, 1))
        found = np.matmul(scores.reshape(heads_here, repeats * count, -1), gathered.values[head:head_end, low:high])
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
    return tasks[::-1]


_AHEAD: Final = np.triu(np.full((_TILE, _TILE), -np.inf, dtype=np.float32), 1)


def _ahead(count: int) -> Floats:
    """What hides the keys behind each of `count` queries in a row."""
    return _AHEAD[:count, :count]


def _exponentials(scores: Floats, sinks: Floats | None) -> Floats:
    """Make `scores` their exponentials, in place, less the largest of each line; returns the sums of the lines."""
    most = scores.max(axis=-1, keepdims=True)
    if sinks is not None:
        most = np.maximum(most, sinks)
    scores -= most
    np.exp(scores, out=scores)
    sums = scores.sum(axis=-1, keepdims=True)
    return sums if sinks is None else sums + np.exp(sinks - most)
