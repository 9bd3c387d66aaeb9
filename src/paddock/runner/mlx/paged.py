"""The paged lane: all rows of a step in one run of unmodified model code, on block tables."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, TypedDict, cast

import mlx.core as mx

from paddock.engine.step import Row
from paddock.runner.mlx.attention import attend
from paddock.runner.mlx.backbone import RowSelection
from paddock.runner.mlx.host import working
from paddock.runner.mlx.host_layer import HostLayer, HostStepMaker
from paddock.runner.mlx.host_model import HostModel
from paddock.runner.mlx.host_slabs import HostSlabs
from paddock.runner.mlx.host_weights import HostWeights
from paddock.runner.mlx.packing import pack
from paddock.runner.mlx.seam import evaluate
from paddock.runner.mlx.slabs import SLAB_BYTES, Shape, Slabs
from paddock.runner.mlx.step_arrays import StepArrayMaker, StepArrays
from paddock.runner.mlx.vision.column import Pictures


@dataclass(frozen=True, slots=True)
class LayerShape:
    """What one layer keeps of a token, and how far back it looks."""

    keys: Shape
    values: Shape
    window: int | None = None


class PagedLayer:
    """What model code takes for the cache of one layer.

    The model feeds a column of tokens as a batch of sequences of one token, so every token has an offset of its own; the
    attention function of its module, replaced by `paddock.runner.mlx.dispatch`, comes back here with the queries.
    """

    def __init__(self, keys: Slabs, values: Slabs, window: int | None) -> None:
        self.keys_slabs = keys
        self.values_slabs = values
        self.window = window
        self.step: StepArrays | None = None

    @property
    def offset(self) -> mx.array:
        return self._step.positions

    def make_mask(self, *_: Any, **__: Any) -> None:
        """No mask: `attend` knows who sees what."""

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Write this layer's keys and values [tokens, heads, 1, head size]. The dispatcher ignores what comes back."""
        keys_now, values_now = keys[:, :, 0], values[:, :, 0]
        for write in self._step.writes:
            everything = write.tokens is None
            mine_keys = keys_now if everything else keys_now[write.tokens]
            mine_values = values_now if everything else values_now[write.tokens]
            self.keys_slabs.write(write.slab, write.blocks, write.places, mine_keys)
            self.values_slabs.write(write.slab, write.blocks, write.places, mine_values)
        return keys, values

    def attend(self, queries: mx.array, scale: float, sinks: mx.array | None) -> mx.array:
        """[tokens, heads, 1, head size] to the same."""
        output = attend(queries[:, :, 0], self.keys_slabs, self.values_slabs, self._step, scale, self.window, sinks)
        return output[:, :, None].astype(queries.dtype)

    @property
    def _step(self) -> StepArrays:
        assert self.step is not None, "the layer is used outside of a step"
        return self.step


class _Sizes(TypedDict):
    block_tokens: int
    slab_blocks: int


def on_host(shapes: Sequence[LayerShape]) -> bool:
    """Whether attention and activations are computed by host.py: on CPUs, in the one type that they are fast with."""
    kinds = {shape.dtype for layer in shapes for shape in (layer.keys, layer.values)}
    return mx.default_device() == mx.Device(mx.cpu) and kinds == {mx.float32}


class PagedLane:
    """Keys and values of all sequences in one pool of blocks a layer."""

    def __init__(
        self,
        selection: RowSelection,
        shapes: Sequence[LayerShape],
        *,
        block_tokens: int,
        host: HostWeights | None = None,
        pictures: Pictures | None = None,
    ) -> None:
        """`host`: the weights, where the whole step is computed without MLX. `pictures`: of a model that sees."""
        self._selection = selection
        self._block_tokens = block_tokens
        largest = max(max(shape.keys.bytes(block_tokens), shape.values.bytes(block_tokens)) for shape in shapes)
        self._slab_blocks = max(1, SLAB_BYTES // largest)
        self._windows = tuple(dict.fromkeys(shape.window for shape in shapes))
        sizes = _Sizes(block_tokens=block_tokens, slab_blocks=self._slab_blocks)
        self._host = on_host(shapes)
        self._layers: list[PagedLayer | HostLayer]
        self._maker: StepArrayMaker | HostStepMaker
        if self._host:
            self._layers = [
                HostLayer(HostSlabs(shape.keys, **sizes), HostSlabs(shape.values, **sizes), shape.window)
                for shape in shapes
            ]
            self._maker = HostStepMaker(**sizes)
        else:
            self._layers = [
                PagedLayer(Slabs(shape.keys, **sizes), Slabs(shape.values, **sizes), shape.window) for shape in shapes
            ]
            self._maker = StepArrayMaker(**sizes)
        self._model = HostModel(host) if host is not None and self._host else None
        self._pictures = pictures
        self._tainted: set[int] = set()

    def end(self, sequence_id: str) -> None:
        """Blocks belong to the scheduler: nothing is kept by sequence here."""

    def taint(self, blocks: Sequence[int]) -> None:
        """What stands in these is no number. Whoever writes into one afresh finds zeros: a hidden key has the weight zero,
        and zero times NaN is NaN."""
        self._tainted.update(blocks)

    def forward(self, rows: Sequence[Row], copies: Sequence[tuple[int, int]]) -> mx.array | None:
        for source, target in copies:
            for slabs in self._all_slabs:
                slabs.copy(source, target)
            self._tainted.discard(target)
            if source in self._tainted:
                self._tainted.add(target)
        if self._tainted:
            self._clear_tainted(rows)
        packed = pack(rows, block_tokens=self._block_tokens, slab_blocks=self._slab_blocks, windows=self._windows)
        step: Any = self._maker.make(packed)
        for layer in self._layers:
            layer.step = step
        column = self._pictures.column(packed.rows, packed.positions) if self._pictures is not None else None
        try:
            with working() if self._host else nullcontext():
                # What is added behind layers of pictures' own is left to model code: words, and answers, have none.
                if self._model is not None and (column is None or not column.deep):
                    layers = cast("list[HostLayer]", self._layers)
                    instead, turns = (column.instead, column.turns) if column is not None else (None, None)
                    return self._model.logits(packed.tokens, packed.positions, layers, packed.wanted, instead, turns)
                tokens = mx.array(packed.tokens)[:, None]
                more: dict[str, Any] = {}
                if self._pictures is not None and column is not None:
                    more = self._pictures.arguments(tokens, column)
                return self._selection.logits(tokens, self._layers, packed.wanted, axis=0, **more)
        finally:
            for layer in self._layers:
                layer.step = None

    def settle(self) -> None:
        evaluate([array for slabs in self._all_slabs for array in slabs.take_touched()])

    @property
    def bytes(self) -> int:
        return sum(slabs.bytes for slabs in self._all_slabs)

    @property
    def _all_slabs(self) -> list[Slabs | HostSlabs]:
        return [slabs for layer in self._layers for slabs in (layer.keys_slabs, layer.values_slabs)]

    def _clear_tainted(self, rows: Sequence[Row]) -> None:
        size = self._block_tokens
        for row in rows:
            # The blocks whose first place this step writes.
            for block in row.blocks[-(-row.start // size) : -(-row.end // size)]:
                if block in self._tainted:
                    self._tainted.discard(block)
                    for slabs in self._all_slabs:
                        slabs.clear(block)
