"""BERT's layers on a CPU, outside MLX: no padding, exponentials by vector instructions, all cores.

    texts ─► [hidden, tokens], text behind text ─► some of the tokens for each core

MLX computes an operation on one thread: of a batch's time a third went into activations and two fifths into attention, and
padding was computed with the rest. The weights stay where MLX read them; NumPy looks at the same memory. A core goes through
all layers with its tokens, wherever in a text they begin and end; they meet once a layer, when all keys and values stand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from paddock.runner.embedding.encoder import Floats, Tokens
from paddock.runner.embedding.gelu import gelu
from paddock.runner.mlx.cores import PRODUCTS
from paddock.runner.mlx.host_team import Member, Team

Ints = npt.NDArray[np.int64]

_SCORES_MAX: Final = 262_144  # numbers of one piece of attention: they stay in a core's own cache


@dataclass(frozen=True, slots=True)
class Linear:
    weight: Floats  # [out, in]
    bias: Floats | None  # [out, 1]


@dataclass(frozen=True, slots=True)
class Norm:
    weight: Floats  # [hidden, 1]
    bias: Floats  # [hidden, 1]
    epsilon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BertLayer:
    looks: tuple[Linear, Linear, Linear]  # queries, keys, values
    attended: Linear
    after_attention: Norm
    up: Linear
    down: Linear
    last: Norm


@dataclass(frozen=True, slots=True, kw_only=True)
class HostBert:
    """All weights of a BERT or RoBERTa."""

    words: Floats
    positions: Floats
    types: Floats
    embedded: Norm
    layers: tuple[BertLayer, ...]
    heads: int
    first_position: int  # RoBERTa's count from behind their padding token

    def hidden(self, rows: Sequence[Tokens], team: Team) -> list[Floats]:
        """[tokens, hidden] of each row."""
        ends = np.cumsum([0, *(len(row) for row in rows)]).tolist()
        spans = [slice(begin, end) for begin, end in pairwise(ends)]
        whole = np.empty((self.words.shape[1], ends[-1]), np.float32)
        looked = np.empty((2, 3, *whole.shape), np.float32)  # a layer's and the next one's

        def work(member: Member) -> None:
            mine = slice(ends[-1] * member.number // member.of, ends[-1] * (member.number + 1) // member.of)
            hidden = self._embed(rows, spans, mine)
            for number, layer in enumerate(self.layers):
                room = looked[number % 2]
                for linear, into in zip(layer.looks, room, strict=True):
                    _product(linear, hidden, into[:, mine])
                member.meet()
                hidden = self._layer(layer, hidden, room, spans, mine)
            whole[:, mine] = hidden

        if team.size == 1:
            PRODUCTS.set_threads(1)  # the second of a product's threads would wait longer than it works
        team.run(work)
        return [whole[:, span].T for span in spans]

    def _embed(self, rows: Sequence[Tokens], spans: Sequence[slice], mine: slice) -> Floats:
        ids = _column_of([row.ids for row in rows])[mine]
        places = _column_of([range(span.stop - span.start) for span in spans])[mine] + self.first_position
        hidden = self.words[ids]
        hidden += self.positions[places]
        hidden += self.types[_column_of([row.types or [0] * len(row) for row in rows])[mine]]
        return _normed(np.ascontiguousarray(hidden.T), self.embedded)

    def _layer(self, layer: BertLayer, hidden: Floats, looked: Floats, spans: Sequence[slice], mine: slice) -> Floats:
        """The tokens of `mine`, who see all of their text."""
        looked[0, :, mine] *= 1 / sqrt(len(hidden) // self.heads)
        attended = np.empty_like(hidden)
        queries, keys, values, out = (each.reshape(self.heads, -1, each.shape[-1]) for each in (*looked, attended))
        for span in spans:
            begin, end = max(span.start, mine.start), min(span.stop, mine.stop)
            if begin < end:
                to = out[:, :, begin - mine.start : end - mine.start]
                _attend(queries[:, :, begin:end], keys[:, :, span], values[:, :, span], to)
        middle = _product(layer.attended, attended)
        middle += hidden
        middle = _normed(middle, layer.after_attention)
        inner = _product(layer.up, middle)
        gelu(inner)
        result = _product(layer.down, inner)
        result += middle
        return _normed(result, layer.last)


def _product(linear: Linear, column: Floats, into: Floats | None = None) -> Floats:
    result = np.matmul(linear.weight, column, out=into)
    if linear.bias is not None:
        result += linear.bias
    return result


def _attend(queries: Floats, keys: Floats, values: Floats, out: Floats) -> None:
    """[heads, head size, tokens] each, queries scaled; as many heads at a time as have their scores in the cache."""
    step = max(1, _SCORES_MAX // (queries.shape[2] * keys.shape[2]))
    for begin in range(0, len(queries), step):
        heads = slice(begin, begin + step)
        scores = queries[heads].transpose(0, 2, 1) @ keys[heads]
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        sums = scores.sum(axis=-1)[:, None]
        np.matmul(values[heads], scores.transpose(0, 2, 1), out=out[heads])
        out[heads] /= sums


def _normed(hidden: Floats, norm: Norm) -> Floats:
    """In place."""
    hidden -= hidden.mean(axis=0)
    spread = np.einsum("ht,ht->t", hidden, hidden)
    spread *= 1 / len(hidden)
    spread += norm.epsilon
    np.sqrt(spread, out=spread)
    hidden /= spread
    hidden *= norm.weight
    hidden += norm.bias
    return hidden


def _column_of(rows: Sequence[Sequence[int]]) -> Ints:
    return np.concatenate([np.asarray(row, np.int64) for row in rows])
