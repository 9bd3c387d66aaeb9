"""Choosing tokens: one graph for all rows of a step, each row by its own settings.

    logits ─► penalties, bias ─┬─► greedy rows:   the largest
                               ├─► plain rows:    temperature, then by chance
                               └─► filtered rows: temperature, top-k, top-p, min-p, then by chance

Chance is one number per row, a function of its seed and the token's position: who else is in the batch, whether the sequence
was preempted and whether the token was guessed before change nothing. What a row gets never depends on its neighbours, so
each of the three kinds is worked out for its own rows only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import mlx.core as mx

from paddock.runner.choosing import Choice, Wish, chance, needs_history
from paddock.runner.masks import Truths
from paddock.runner.mlx.logprobs import Logprobs
from paddock.runner.mlx.seam import evaluate, integers, to_device, truths
from paddock.vocabulary import Sampling

CANDIDATES: Final = (
    512  # a filtered row sorts this many of its likeliest tokens first, all of them only if that is too few
)
# Settings that are smaller than a float32 can be would divide by zero. Long before that one token has it all.
_SMALLEST: Final = 1e-30
_LARGEST: Final = 1e30  # a logit after its penalties, so that differences stay numbers


def choose(logits: mx.array, wishes: Sequence[Wish], allowed: Truths | None = None) -> list[Choice]:
    """One token for each row of `logits` [rows, vocabulary]; of those `allowed`, where some are not. Evaluates the graph."""
    logits = logits.astype(mx.float32)
    # The largest is NaN as soon as one is, and infinite when the sum would be: one cheap pass tells a poisoned row.
    broken = mx.logical_not(mx.isfinite(mx.max(logits, axis=-1)))
    logprobs = Logprobs.of(logits, [wish.sampling.top_logprobs for wish in wishes])
    adjusted = _penalized(logits, wishes)
    if allowed is not None:
        adjusted = mx.where(to_device(allowed), adjusted, -mx.inf)
    parts = [_choose_some(adjusted, wishes, rows, kind) for kind, rows in _by_kind(wishes)]
    evaluate(broken, *(part.arrays for part in parts), *(logprobs.arrays if logprobs else ()))
    tokens = [0] * len(wishes)
    for part in parts:
        for row, token in zip(part.rows, part.tokens(), strict=True):
            tokens[row] = token
    flags = truths(broken)
    told = logprobs.told(tokens) if logprobs else [()] * len(wishes)
    return [
        Choice(token=token, broken=flag, logprobs=entry) for token, flag, entry in zip(tokens, flags, told, strict=True)
    ]


# Penalties and bias touch few tokens of a row: gather them, change them, scatter them back


def _penalized(logits: mx.array, wishes: Sequence[Wish]) -> mx.array:
    cells = [(row, *cell) for row, wish in enumerate(wishes) for cell in _cells(wish)]
    if not cells:
        return logits
    rows, tokens, factors, offsets = (list(column) for column in zip(*cells, strict=True))
    where = mx.array(rows), mx.array(tokens)
    values = logits[where]
    factor = mx.array(factors, dtype=mx.float32)
    values = mx.where(values > 0, values / factor, values * factor) + mx.array(offsets, dtype=mx.float32)
    values = mx.clip(values, -_LARGEST, _LARGEST)
    adjusted = logits + 0.0  # the caller's array stays as it is
    adjusted[where] = values
    return adjusted


def _cells(wish: Wish) -> Iterator[tuple[int, float, float]]:
    """Token, the factor that shrinks it and what is added to it. Each token at most once."""
    sampling = wish.sampling
    if not sampling.logit_bias and not needs_history(sampling):
        return
    for token in {*wish.seen, *sampling.logit_bias}:
        count = wish.written.get(token, 0)
        offset = sampling.logit_bias.get(token, 0.0) - sampling.frequency_penalty * count
        if count:
            offset -= sampling.presence_penalty
        factor = max(sampling.repetition_penalty, _SMALLEST) if token in wish.seen else 1.0
        if factor != 1.0 or offset != 0.0:
            yield token, factor, offset


# The three kinds of rows


def _by_kind(wishes: Sequence[Wish]) -> Iterator[tuple[str, list[int]]]:
    kinds: dict[str, list[int]] = {}
    for row, wish in enumerate(wishes):
        kinds.setdefault(_kind(wish.sampling), []).append(row)
    yield from kinds.items()


def _kind(sampling: Sampling) -> str:
    if sampling.temperature == 0:
        return "greedy"
    return "filtered" if sampling.top_p < 1 or sampling.top_k > 0 or sampling.min_p > 0 else "plain"


@dataclass(slots=True)
class _Part:
    """The tokens of some rows, on the way."""

    rows: list[int]
    wishes: list[Wish]
    chosen: mx.array
    scaled: mx.array | None = None  # of filtered rows
    enough: mx.array | None = None  # whether the candidates held all that the filters let through

    @property
    def arrays(self) -> list[mx.array]:
        return [self.chosen] if self.enough is None else [self.chosen, self.enough]

    def tokens(self) -> list[int]:
        chosen = integers(self.chosen)
        if self.enough is None or self.scaled is None:
            return chosen
        flags = truths(self.enough)
        short = [index for index, flag in enumerate(flags) if not flag]
        if short:
            again, _ = _filtered(self.scaled[mx.array(short)], [self.wishes[index] for index in short], None)
            for index, token in zip(short, integers(again), strict=True):
                chosen[index] = token
        return chosen


def _choose_some(logits: mx.array, wishes: Sequence[Wish], rows: list[int], kind: str) -> _Part:
    mine = [wishes[row] for row in rows]
    if len(rows) < len(wishes):
        logits = logits[mx.array(rows)]
    if kind == "greedy":
        return _Part(rows, mine, mx.argmax(logits, axis=-1))
    temperature = mx.array([max(wish.sampling.temperature, _SMALLEST) for wish in mine], dtype=mx.float32)[:, None]
    # Less the largest first: a tiny temperature then makes small numbers, not infinite ones.
    scaled = (logits - mx.max(logits, axis=-1, keepdims=True)) / temperature
    if kind == "plain":
        return _Part(rows, mine, _by_chance(mx.exp(scaled), mine))
    chosen, enough = _filtered(scaled, mine, CANDIDATES)
    return _Part(rows, mine, chosen, scaled, enough)


def _by_chance(weights: mx.array, wishes: Sequence[Wish]) -> mx.array:
    """For each row the first index at which the running sum of its weights passes the row's chance."""
    sums = mx.cumsum(weights, axis=-1)
    chances = mx.array([chance(wish.seed, wish.position) for wish in wishes], dtype=mx.float32)[:, None]
    return mx.sum(sums <= chances * sums[:, -1:], axis=-1)


def _filtered(scaled: mx.array, wishes: Sequence[Wish], candidates: int | None) -> tuple[mx.array, mx.array]:
    """Tokens of rows with top-k, top-p or min-p, and whether `candidates` were enough to know them."""
    vocabulary = scaled.shape[-1]
    count = min(vocabulary, candidates or vocabulary)
    top_k = mx.array([min(wish.sampling.top_k or vocabulary, vocabulary) for wish in wishes])[:, None]
    top_p = mx.array([wish.sampling.top_p for wish in wishes], dtype=mx.float32)[:, None]
    min_p = mx.array([wish.sampling.min_p for wish in wishes], dtype=mx.float32)[:, None]

    ids = _likeliest(scaled, count)
    weights = mx.exp(mx.take_along_axis(scaled, ids, axis=-1))
    ranks = mx.arange(count)[None]
    weights = mx.where(ranks < top_k, weights, 0.0)
    # What top-p measures against: the tokens that top-k left, or the whole vocabulary.
    known = mx.sum(weights, axis=-1, keepdims=True)
    total = mx.where(top_k <= count, known, mx.sum(mx.exp(scaled), axis=-1, keepdims=True))
    before = mx.cumsum(weights, axis=-1) - weights
    inside = (before < top_p * total) & (weights >= min_p * weights[:, :1])
    inside = inside | (ranks == 0)
    enough = (
        mx.array(count == vocabulary)
        | (top_k <= count)
        | ((top_p < 1) & (known >= top_p * total))
        | (weights[:, -1:] < min_p * weights[:, :1])
    )
    index = _by_chance(mx.where(inside, weights, 0.0), wishes)
    return mx.take_along_axis(ids, index[:, None], axis=-1)[:, 0], enough[:, 0]


def _likeliest(scaled: mx.array, count: int) -> mx.array:
    """The ids of the `count` largest of each row, the largest first."""
    if count == scaled.shape[-1]:
        return mx.argsort(-scaled, axis=-1)
    ids = mx.argpartition(-scaled, kth=count - 1, axis=-1)[:, :count]
    order = mx.argsort(-mx.take_along_axis(scaled, ids, axis=-1), axis=-1)
    return mx.take_along_axis(ids, order, axis=-1)
