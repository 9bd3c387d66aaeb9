"""A step of a llama-like model on a CPU, from tokens to logits, in NumPy: what mlx-lm's model code says, for float32.

On a CPU an operation of MLX costs a quarter of a millisecond to get going, and a layer has forty; NumPy brings a BLAS of its
own. Keys and values lie where HostLayer has them, and attention is host_attention.py's.

A team of threads shares each layer out by heads and by inner features. Numbers lie with a token a column, [features, tokens]:
so a product takes the weights as they lie, and a share's part of it is some rows.

    each    norm, queries, keys, values of its heads; keys and values kept        ── meet
    all     attention, task by task, whoever is free                              ── meet
    each    its columns of the projection back: a part of a sum                   ── meet
    each    the whole sum; norm, gate, up and down of its inner features          ── meet
    each    the whole sum
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import mlx.core as mx
import numpy as np

from paddock.runner.mlx.cores import Floats, Task
from paddock.runner.mlx.host import look
from paddock.runner.mlx.host_layer import HostLayer
from paddock.runner.mlx.host_team import Member, Team
from paddock.runner.mlx.host_weights import HostWeights, LayerWeights, Linear, Norm, words
from paddock.runner.mlx.packing import Ints
from paddock.runner.mlx.seam import evaluate

_TURNS_MIN: Final = 1024  # positions whose rotation is worked out at first
FEW: Final = 48  # up to so many columns a product alone takes all cores: more hands would wait for Python's lock
_PIECE: Final = 65_536  # numbers worked on at a time: they stay in a near cache


class HostModel:
    """Feeds a column of tokens through all layers."""

    def __init__(self, weights: HostWeights) -> None:
        self._weights = weights
        self._alone = _Crew(Team(1), weights)
        self._together = _Crew(Team(weights.heads), weights)
        self._head_size = weights.layers[0].head_size
        self._rotation = Rotation(weights.rotation, self._head_size)

    def logits(
        self,
        tokens: Ints,
        positions: Ints,
        layers: Sequence[HostLayer],
        wanted: Sequence[int],
        instead: tuple[Ints, Floats] | None = None,
        turns: Ints | None = None,
    ) -> mx.array | None:
        """The logits [len(wanted), vocabulary] of some of the column's tokens. None when there are none.

        `instead`: places in the column, and what stands there in place of the token's embedding. `turns` [3, tokens]: where
        tokens stand along three axes, in a model that turns by them.
        """
        weights = self._weights
        crew = self._alone if len(tokens) <= FEW else self._together
        for layer in layers:
            layer.make_room()
        table = _Table(weights, self._head_size, tokens=len(tokens), wanted=len(wanted), team=crew.team.size)
        for layer in layers:
            table.works.append(iter(layer.tasks(table.queries, table.attended, weights.scale)))
        turned = self._rotation.at(positions if turns is None else turns)

        def work(member: Member) -> None:
            hidden = np.ascontiguousarray(weights.embedding[tokens].T)
            if instead is not None:
                places, embeddings = instead
                hidden[:, places] = embeddings.T
            _Share(weights, crew.shares[member.number], turned, table, member).go(hidden, layers, wanted)

        crew.team.run(work)
        return mx.array(table.logits) if wanted else None


class _Crew:
    """A team, and what each of its members works with."""

    def __init__(self, team: Team, weights: HostWeights) -> None:
        self.team = team
        self.shares = [[layer.share(number, team.size) for layer in weights.layers] for number in range(team.size)]


class _Table:
    """What the team has in common during a step."""

    def __init__(self, weights: HostWeights, head_size: int, *, tokens: int, wanted: int, team: int) -> None:
        def empty(*shape: int) -> Floats:
            return np.empty(shape, dtype=np.float32)

        hidden = weights.embedding.shape[1]
        self.queries = empty(tokens, weights.heads, head_size)
        self.attended = empty(tokens, weights.heads, head_size)
        self.works: list[Iterator[Task]] = []  # attention of each layer
        # Parts of the sums after attention and after the inner features. One is read while the other is written.
        self.sums = [[empty(hidden, tokens) for _ in range(team)] for _ in range(2)]
        self.last_sums = [[empty(hidden, wanted) for _ in range(team)] for _ in range(2)]
        self.logits = empty(wanted, weights.head.weight.shape[0])


@dataclass(frozen=True, slots=True)
class _Share:
    """One member's way through a step."""

    weights: HostWeights
    layers: Sequence[LayerWeights]
    turns: "Turns"
    table: _Table
    member: Member

    def go(self, hidden: Floats, caches: Sequence[HostLayer], wanted: Sequence[int]) -> None:
        last = len(self.layers) - 1
        room = _Room.of(self.layers[0], hidden.shape)
        for number, (layer, cache) in enumerate(zip(self.layers, caches, strict=True)):
            self._look(layer, cache, hidden, room)
            self.member.meet()
            self.member.share_out(self.table.works[number])
            self.member.meet()
            attended = self.table.attended
            if number == last:
                # Of the last layer only keys and values are wanted of every token.
                if not wanted:
                    return
                if len(wanted) < hidden.shape[1]:
                    rows = list(wanted)
                    hidden, attended = np.ascontiguousarray(hidden[:, rows]), attended[rows]
                    room = _Room.of(layer, hidden.shape)
            sums = self.table.sums if hidden.shape[1] == self.table.queries.shape[0] else self.table.last_sums
            self._inner(layer, attended, hidden, sums, room)
        _normed(hidden, self.weights.last, room.normed)
        mine = words(self.weights, self.member.number, self.member.of)
        head = self.weights.head.rows(mine)
        found = np.empty((len(head.weight), len(wanted)), dtype=np.float32)
        _products((head,), room.normed, found)
        self.table.logits[:, mine] = found.T

    def _look(self, layer: LayerWeights, cache: HostLayer, hidden: Floats, room: "_Room") -> None:
        """Queries, keys and values of this share's heads, to where attention finds them."""
        _normed(hidden, layer.before_attention, room.normed)
        _products(layer.looks, room.normed, room.looks)
        heads, kv_heads = (part.stop - part.start for part in (layer.query_heads, layer.kv_heads))
        looks = room.looks.reshape(heads + 2 * kv_heads, layer.head_size, -1)
        both = looks[: heads + kv_heads]
        if layer.head_norm is not None:
            _normed(both, layer.head_norm, both)
        turned = self.turns.turn(both).transpose(2, 0, 1)
        np.multiply(turned[:, :heads], np.float32(self.weights.scale), out=self.table.queries[:, layer.query_heads])
        if kv_heads:  # else there are more members than heads of keys
            values = looks[heads + kv_heads :].transpose(2, 0, 1)
            cache.keep(turned[:, heads:], values, layer.kv_heads)

    def _inner(
        self, layer: LayerWeights, attended: Floats, hidden: Floats, sums: Sequence[Sequence[Floats]], room: "_Room"
    ) -> None:
        """All that comes after attention, added to `hidden` in place."""
        me = self.member.number
        mine = attended[:, layer.query_heads].reshape(len(attended), -1)
        np.matmul(layer.attended.weight, np.ascontiguousarray(mine.T), out=sums[0][me])
        self.member.meet()
        _add(hidden, sums[0], layer.attended_bias)
        _normed(hidden, layer.before_inner, room.normed)
        _products(layer.gate_up, room.normed, room.gate_up)
        active = _activated(room.gate_up)
        np.matmul(layer.down.weight, active, out=sums[1][me])
        self.member.meet()
        _add(hidden, sums[1], layer.down_bias)


@dataclass(frozen=True, slots=True)
class _Room:
    """What layer after layer is worked out in."""

    normed: Floats
    looks: Floats  # queries, and keys and values below them
    gate_up: Floats

    @staticmethod
    def of(layer: LayerWeights, shape: tuple[int, ...]) -> "_Room":
        rows = (shape[0], *(sum(len(each.weight) for each in linears) for linears in (layer.looks, layer.gate_up)))
        return _Room(*(np.empty((number, shape[1]), dtype=np.float32) for number in rows))


class Turns:
    """The rotation of a column's tokens."""

    def __init__(self, cosines: Floats, sines: Floats) -> None:
        self._cosines = np.ascontiguousarray(cosines.T)  # [half, tokens]
        self._sines = np.ascontiguousarray(sines.T)

    def turn(self, heads: Floats) -> Floats:
        """[heads, head size, tokens] to the same: a head is a pair of halves."""
        number, size, count = heads.shape
        halves = heads.reshape(number, 2, size // 2, count)
        turned = halves * self._cosines
        crossed = halves * self._sines
        turned[:, 0] -= crossed[:, 1]
        turned[:, 1] += crossed[:, 0]
        return turned.reshape(heads.shape)


class Rotation:
    """What a model's rotation does at each position, asked of its module: cosines and sines, with whatever scale it has."""

    def __init__(self, module: Any, size: int) -> None:
        self._module = module
        self._half = size // 2
        # Some rotations turn each part of a head by another axis of a token's place.
        axes: mx.array | None = getattr(module, "position_selector", None)
        self._axes: Ints | None = None if axes is None else np.array(axes, dtype=np.int32)
        self._known: Floats = np.empty((0, size), dtype=np.float32)

    def at(self, positions: Ints) -> Turns:
        """`positions` [tokens], or [3, tokens] where the rotation has axes."""
        need, have = int(positions.max()) + 1, len(self._known)
        if need > have:
            most = max(_TURNS_MIN, 1 << (need - 1).bit_length())
            self._known = np.concatenate([self._known, self._turned(have, most)])
        if self._axes is None or positions.ndim == 1:
            found = self._known[positions]
            return Turns(found[:, : self._half], found[:, self._half :])
        places, parts = positions[self._axes].T, np.arange(self._half)  # [tokens, half]
        return Turns(self._known[places, parts], self._known[places, self._half + parts])

    def _turned(self, begin: int, end: int) -> Floats:
        """Cosines and sines of some positions, side by side."""
        if self._axes is None:
            # A rotation turns (1, 0) into (cosine, sine).
            ones = mx.broadcast_to(mx.arange(2 * self._half) < self._half, (1, 1, end - begin, 2 * self._half))
            turned = self._module(ones.astype(mx.float32), offset=begin)[0, 0]
        else:
            angles = mx.arange(begin, end, dtype=mx.float32)[:, None] * self._module.inv_freq[None]
            both = mx.concatenate([mx.cos(angles), mx.sin(angles)], axis=1)
            turned = both.astype(mx.float32) * self._module.attention_scaling
        evaluate(turned)
        return look(turned)


def _products(linears: Sequence[Linear], numbers: Floats, output: Floats) -> None:
    """What they make of the numbers, below each other."""
    begin = 0
    for linear in linears:
        end = begin + len(linear.weight)
        into = output[begin:end]
        np.matmul(linear.weight, numbers, out=into)
        if linear.bias is not None:
            into += linear.bias
        begin = end


def _add(hidden: Floats, parts: Sequence[Floats], bias: Floats | None) -> None:
    for part in parts:
        hidden += part
    if bias is not None:
        hidden += bias


def _normed(numbers: Floats, norm: Norm, output: Floats) -> None:
    """Divided by the root of its mean square, over the last axis but one. `output` may be `numbers`."""
    size = numbers.shape[-2]

    def work(part: slice) -> None:
        mine = numbers[..., part]
        factor = np.einsum("...ij,...ij->...j", mine, mine)[..., None, :]
        factor /= size
        factor += norm.epsilon
        np.sqrt(factor, out=factor)
        np.divide(mine, factor, out=output[..., part])
        output[..., part] *= norm.weight

    _by_columns(work, numbers)


def _activated(gate_up: Floats) -> Floats:
    """silu(gate) * up, where the gate was."""
    inner = len(gate_up) // 2
    gates, ups = gate_up[:inner].reshape(-1), gate_up[inner:].reshape(-1)
    spare = np.empty(min(_PIECE, gates.size), dtype=np.float32)
    for start in range(0, gates.size, _PIECE):
        mine = gates[start : start + _PIECE]
        power = spare[: mine.size]
        np.negative(mine, out=power)
        np.exp(power, out=power)
        power += 1
        mine /= power
        mine *= ups[start : start + _PIECE]
    return gate_up[:inner]


def _by_columns(work: Callable[[slice], None], numbers: Floats) -> None:
    """In pieces of columns that stay in a near cache."""
    columns = numbers.shape[-1]
    piece = max(16, _PIECE * columns // max(1, numbers.size))
    for begin, end in pairwise([*range(0, columns, piece), columns]):
        work(slice(begin, end))
