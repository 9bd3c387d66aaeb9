"""A layer of the paged lane on a CPU, and what its steps need. host.py says why MLX does not do this part."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from paddock.runner.mlx.cores import CORES, Floats, Task
from paddock.runner.mlx.host import look
from paddock.runner.mlx.host_attention import Asked, Heads, HostGroup, attend_host, attention_tasks
from paddock.runner.mlx.host_runs import Run, runs_of, shares
from paddock.runner.mlx.host_slabs import HostSlabs
from paddock.runner.mlx.packing import Group, LongRow, Packed, Seen, Write
from paddock.runner.mlx.seam import evaluate

Flags: TypeAlias = npt.NDArray[np.bool_]

SHARED_FROM: Final = (
    12_000  # tokens of keys in a step; below, threads that wait for each other take more than they bring
)
_KEPT_MAX: Final = 64  # groups of the last steps; a step has some for each window and width of its rows


@dataclass(frozen=True, slots=True)
class HostStep:
    """What every layer of a step needs."""

    positions: mx.array
    writes: tuple[Write, ...]
    groups: dict[int | None, tuple[HostGroup, ...]]
    long: tuple[LongRow, ...]


class HostStepMaker:
    """Makes them, and remembers who saw what in the last steps."""

    def __init__(self, *, block_tokens: int, slab_blocks: int, shared_from: int = SHARED_FROM) -> None:
        """`shared_from`: groups that look back at fewer tokens than that are not shared out."""
        self._block_tokens = block_tokens
        self._slab_blocks = slab_blocks
        self._shared_from = shared_from
        self._kept: OrderedDict[Seen, tuple[Run, ...]] = OrderedDict()

    def make(self, packed: Packed) -> HostStep:
        return HostStep(
            positions=mx.array(packed.positions),
            writes=packed.writes,
            groups={
                window: tuple(each for group in groups for each in self._shared_out(group, window))
                for window, groups in packed.groups.items()
            },
            long=packed.long,
        )

    def _shared_out(self, group: Group, window: int | None) -> list[HostGroup]:
        """Parts that read different blocks, so that cores need not wait for each other; one part, if there are none."""
        looked_at = sum(len(blocks) for blocks in group.seen) * self._block_tokens
        cores = CORES if looked_at >= self._shared_from else 1
        parts = shares(group.seen, cores)
        return [self._group(group, part, window, parts=1 if len(parts) > 1 else cores) for part in parts]

    def _group(self, group: Group, part: range, window: int | None, *, parts: int) -> HostGroup:
        mine = slice(part.start, part.stop)
        seen = group.seen[mine]
        first = np.array(group.first[mine], dtype=np.int64)[:, None] * self._block_tokens
        width = max(len(blocks) for blocks in seen) * self._block_tokens
        keys = first + np.arange(width, dtype=np.int64)
        positions = np.array(group.positions[mine], dtype=np.int64)[:, None]
        hidden: Flags = keys > positions
        if window is not None:
            hidden = hidden | (keys <= positions - window)
        return HostGroup(np.array(group.tokens[mine]), self._runs(seen), hidden[:, None, None], parts)

    def _runs(self, seen: Seen) -> tuple[Run, ...]:
        runs = self._kept.get(seen)
        if runs is None:
            runs = self._kept[seen] = runs_of(seen, block_tokens=self._block_tokens, slab_blocks=self._slab_blocks)
            if len(self._kept) > _KEPT_MAX:
                self._kept.popitem(last=False)
        self._kept.move_to_end(seen)
        return runs


class HostLayer:
    """What model code takes for the cache of one layer; the twin of PagedLayer."""

    def __init__(self, keys: HostSlabs, values: HostSlabs, window: int | None) -> None:
        self.keys_slabs = keys
        self.values_slabs = values
        self.window = window
        self.step: HostStep | None = None
        self._fresh: tuple[mx.array, mx.array] | None = None

    @property
    def offset(self) -> mx.array:
        return self._step.positions

    def make_mask(self, *_: Any, **__: Any) -> None:
        """No mask: `attend` knows who sees what."""

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Keep this layer's keys and values [tokens, heads, 1, head size] until the queries come: then all are computed."""
        self._fresh = keys, values
        return keys, values

    def attend(self, queries: mx.array, scale: float, sinks: mx.array | None) -> mx.array:
        """[tokens, heads, 1, head size] to the same."""
        fresh = self._fresh
        assert fresh is not None, "queries come after their keys and values"
        self._fresh = None
        evaluate(queries, *fresh)
        keys, values = (look(each)[:, :, 0] for each in fresh)
        numbers = None if sinks is None else _numbers(sinks)
        return mx.array(self.attend_numbers(look(queries)[:, :, 0], keys, values, scale, numbers)[:, :, None])

    def attend_numbers(
        self, queries: Floats, keys: Floats, values: Floats, scale: float, sinks: Floats | None = None
    ) -> Floats:
        """Keep the column's keys and values; then its queries [tokens, heads, head size] to the same."""
        step = self._step
        self.keep(keys, values, slice(0, self.keys_slabs.heads))
        heads = Heads(scale, self.window, sinks)
        return attend_host(queries, self.keys_slabs, self.values_slabs, step.groups[self.window], step.long, heads)

    def make_room(self) -> None:
        """Make the slabs that this step writes to: an array is made by the thread that owns the device."""
        for write in self._step.writes:
            self.keys_slabs.slab(write.slab)
            self.values_slabs.slab(write.slab)

    def keep(self, keys: Floats, values: Floats, heads: slice) -> None:
        """Write the column's keys and values [tokens, heads, head size], of some heads."""
        for write in self._step.writes:
            mine_keys = keys if write.tokens is None else keys[write.tokens]
            mine_values = values if write.tokens is None else values[write.tokens]
            self.keys_slabs.write(write.slab, write.blocks, write.places, mine_keys, heads)
            self.values_slabs.write(write.slab, write.blocks, write.places, mine_values, heads)

    def tasks(self, queries: Floats, output: Floats, scale: float) -> list[Task]:
        """What attention is made of, once all keys are kept and `queries`, scaled, stand."""
        step = self._step
        asked = Asked(
            queries=queries,
            keys=self.keys_slabs,
            values=self.values_slabs,
            heads=Heads(scale, self.window, None),
            output=output,
        )
        return attention_tasks(asked, step.groups[self.window], step.long)

    @property
    def _step(self) -> HostStep:
        assert self.step is not None, "the layer is used outside of a step"
        return self.step


def _numbers(array: mx.array) -> Floats:
    wide = array.astype(mx.float32)
    evaluate(wide)
    return look(wide)
