"""A step of a llama-like model on a CPU, from tokens to logits, in NumPy: what mlx-lm's model code says, for float32.

On a CPU an operation of MLX costs a quarter of a millisecond to get going, and a layer has forty; NumPy brings a BLAS of its
own. Keys and values lie where HostLayer has them, and attention is host_attention.py's.
"""

# MLX's stubs leave the shapes of `reshape` and `transpose` untyped.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import mlx.core as mx
import numpy as np

from paddock.runner.mlx.host import CORES, Floats, look, side_by_side
from paddock.runner.mlx.host_layer import HostLayer
from paddock.runner.mlx.host_weights import HostWeights, LayerWeights, Linear, Norm
from paddock.runner.mlx.packing import Ints
from paddock.runner.mlx.seam import evaluate

_TURNS_MIN: Final = 1024  # positions whose rotation is worked out at first
_PIECE: Final = 16_384  # numbers worked on at a time: they stay in the nearest cache
_ALONE_MAX: Final = 65_536  # below so many numbers a second thread costs more than it brings

Work = Callable[[slice], None]


class HostModel:
    """Feeds a column of tokens through all layers."""

    def __init__(self, weights: HostWeights) -> None:
        self._weights = weights
        head = weights.layers[0].queries_keys_values.weight.shape[1] // (weights.heads + 2 * weights.kv_heads)
        self._rotation = _Rotation(weights.rotation, head)
        self._head_size = head

    def logits(
        self, tokens: Ints, positions: Ints, layers: Sequence[HostLayer], wanted: Sequence[int]
    ) -> mx.array | None:
        """The logits [len(wanted), vocabulary] of some of the column's tokens. None when there are none."""
        weights = self._weights
        turns = self._rotation.at(positions)
        hidden = weights.embedding[tokens]
        room = _Room.of(len(tokens), weights)
        for layer, cache in zip(weights.layers[:-1], layers[:-1], strict=True):
            self._inner(layer, hidden, self._attended(layer, cache, hidden, turns, room), room)
        # Of the last layer only keys and values are wanted of every token.
        attended = self._attended(weights.layers[-1], layers[-1], hidden, turns, room)
        if not wanted:
            return None
        if len(wanted) < len(tokens):
            rows = list(wanted)
            hidden, attended = hidden[rows], attended[rows]
            room = _Room.of(len(rows), weights)
        self._inner(weights.layers[-1], hidden, attended, room)
        _normed(hidden, weights.last, room.normed)
        return mx.array(_product(room.normed, weights.head))

    def _attended(
        self, layer: LayerWeights, cache: HostLayer, hidden: Floats, turns: "_Turns", room: "_Room"
    ) -> Floats:
        weights = self._weights
        count, turned = len(hidden), weights.heads + weights.kv_heads
        _normed(hidden, layer.before_attention, room.normed)
        joined = _product(room.normed, layer.queries_keys_values, room.joined)
        split = joined.reshape(count, turned + weights.kv_heads, self._head_size)
        both = split[:, :turned]
        if layer.head_norm is not None:
            _normed(both, layer.head_norm, both)
        turns.turn(both, room.turned)
        output = cache.attend_numbers(
            room.turned[:, : weights.heads],
            room.turned[:, weights.heads :],
            split[:, turned:],
            weights.scale,
        )
        return output.reshape(count, -1)

    def _inner(self, layer: LayerWeights, hidden: Floats, attended: Floats, room: "_Room") -> None:
        """All that comes after attention, added to `hidden` in place."""
        hidden += _product(attended, layer.attended, room.normed)
        _normed(hidden, layer.before_inner, room.normed)
        gate_up = _product(room.normed, layer.gate_up, room.gate_up)
        _activate(gate_up, room.active)
        hidden += _product(room.active, layer.down, room.normed)


@dataclass(frozen=True, slots=True)
class _Room:
    """What layer after layer is worked out in."""

    normed: Floats
    joined: Floats
    turned: Floats
    gate_up: Floats
    active: Floats

    @staticmethod
    def of(count: int, weights: HostWeights) -> "_Room":
        layer = weights.layers[0]
        hidden, joined = layer.queries_keys_values.weight.shape
        turned = weights.heads + weights.kv_heads
        size = joined // (turned + weights.kv_heads)
        inner = max(each.down.weight.shape[0] for each in weights.layers)

        def empty(*shape: int) -> Floats:
            return np.empty((count, *shape), dtype=np.float32)

        return _Room(empty(hidden), empty(joined), empty(turned, size), empty(2 * inner), empty(inner))


class _Turns:
    """The rotation of a column's tokens."""

    def __init__(self, cosines: Floats, sines: Floats) -> None:
        # [tokens, 1, 2, half]: a head is a pair of halves.
        self._straight = np.stack([cosines, cosines], axis=1)[:, None]
        self._crossed = np.stack([-sines, sines], axis=1)[:, None]

    def turn(self, heads: Floats, output: Floats) -> None:
        """[tokens, heads, head size]."""
        count, number, size = heads.shape

        def work(part: slice) -> None:
            halves = heads[part].reshape(-1, number, 2, size // 2)
            into = output[part].reshape(halves.shape)
            np.multiply(halves, self._straight[part], out=into)
            into += halves[:, :, ::-1] * self._crossed[part]

        _by_rows(work, count, number * size)


class _Rotation:
    """What a model's rotation does at each position, asked of its module: cosines and sines, with whatever scale it has."""

    def __init__(self, module: Any, size: int) -> None:
        self._module = module
        self._half = size // 2
        self._known: Floats = np.empty((0, size), dtype=np.float32)

    def at(self, positions: Ints) -> _Turns:
        need, have = int(positions.max()) + 1, len(self._known)
        if need > have:
            most = max(_TURNS_MIN, 1 << (need - 1).bit_length())
            # A rotation turns (1, 0) into (cosine, sine).
            ones = mx.broadcast_to(mx.arange(2 * self._half) < self._half, (1, 1, most - have, 2 * self._half))
            turned = self._module(ones.astype(mx.float32), offset=have)
            evaluate(turned)
            self._known = np.concatenate([self._known, look(turned)[0, 0]])
        found = self._known[positions]
        return _Turns(found[:, : self._half], found[:, self._half :])


def _product(numbers: Floats, linear: Linear, output: Floats | None = None) -> Floats:
    result = np.matmul(numbers, linear.weight, out=output)
    if linear.bias is not None:
        result += linear.bias
    return result


def _normed(numbers: Floats, norm: Norm, output: Floats) -> None:
    """Divided by the root of its mean square, over the last axis."""
    size = numbers.shape[-1]

    def work(part: slice) -> None:
        mine = numbers[part]
        factor = np.vecdot(mine, mine)[..., None]
        factor /= size
        factor += norm.epsilon
        np.sqrt(factor, out=factor)
        np.divide(mine, factor, out=output[part])
        output[part] *= norm.weight

    _by_rows(work, len(numbers), numbers[0].size)


def _activate(gate_up: Floats, output: Floats) -> None:
    """silu(gate) * up."""
    inner = output.shape[1]

    def work(part: slice) -> None:
        gate, into = gate_up[part, :inner], output[part]
        np.negative(gate, out=into)
        np.exp(into, out=into)
        into += 1
        np.divide(gate, into, out=into)
        into *= gate_up[part, inner:]

    _by_rows(work, len(output), inner)


def _by_rows(work: Work, rows: int, width: int) -> None:
    """In pieces of rows that stay in a near cache, on all cores when there are many."""
    piece = max(1, _PIECE // width)

    def share(begin: int, end: int) -> None:
        for start in range(begin, end, piece):
            work(slice(start, min(start + piece, end)))

    if rows * width <= _ALONE_MAX or CORES == 1:
        share(0, rows)
        return
    cuts = [rows * number // CORES for number in range(CORES + 1)]
    side_by_side([lambda begin=begin, end=end: share(begin, end) for begin, end in pairwise(cuts)])
