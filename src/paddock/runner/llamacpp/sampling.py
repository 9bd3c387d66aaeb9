"""Choosing tokens from logits in memory: each row by its own settings, with the chance that every engine here draws with.

logits ─► penalties, bias, masks ─┬─► greedy:    the largest
                                  ├─► plain:     temperature, then by chance
                                  └─► filtered:  temperature, top-k, top-p, min-p, then by chance
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from paddock.runner.choosing import Choice, Wish, chance, needs_history
from paddock.runner.masks import Truths
from paddock.vocabulary import Sampling, TokenLogprob

Floats: TypeAlias = npt.NDArray[np.float32]

_COLDEST: Final = 1e-30  # below it a float32 is nothing, and nothing can be divided by that
_LARGEST: Final = 3e38  # a tiny penalty must not make numbers that are none
CANDIDATES: Final = 512  # a filtered row sorts so many of its likeliest tokens first, all only if that is too few


def choose(logits: Floats, wishes: Sequence[Wish], allowed: Truths | None = None) -> list[Choice]:
    """One token for each row of `logits` [rows, vocabulary]; of those `allowed`, where some are not."""
    masks = [None] * len(wishes) if allowed is None else list(allowed)
    return [_choose(row, wish, mask) for row, wish, mask in zip(logits, wishes, masks, strict=True)]


def _choose(logits: Floats, wish: Wish, allowed: Truths | None) -> Choice:
    # The place of the largest is that of a NaN as soon as there is one.
    top = int(np.argmax(logits))
    if not np.isfinite(logits[top]):
        return Choice(token=0, broken=True)
    adjusted = _penalized(logits, wish)
    if allowed is not None:
        adjusted = np.where(allowed, adjusted, np.float32(-np.inf))
    if adjusted is not logits:
        top = int(np.argmax(adjusted))
    sampling = wish.sampling
    token = top if sampling.temperature == 0 else _by_chance(adjusted, top, wish)
    told = () if sampling.top_logprobs is None else _logprobs(logits, token, sampling.top_logprobs)
    return Choice(token=token, logprobs=told)


def _penalized(logits: Floats, wish: Wish) -> Floats:
    """Penalties and bias touch few tokens of a row."""
    sampling = wish.sampling
    if not sampling.logit_bias and not needs_history(sampling):
        return logits
    adjusted = logits.copy()
    for token in {*wish.seen, *sampling.logit_bias}:
        value = float(adjusted[token])
        if token in wish.seen:
            value = value / sampling.repetition_penalty if value > 0 else value * sampling.repetition_penalty
        count = wish.written.get(token, 0)
        value += sampling.logit_bias.get(token, 0.0) - sampling.frequency_penalty * count
        value -= sampling.presence_penalty if count else 0.0
        adjusted[token] = min(max(value, -_LARGEST), _LARGEST)
    return adjusted


def _by_chance(adjusted: Floats, top: int, wish: Wish) -> int:
    sampling = wish.sampling
    # Less the largest first: a tiny temperature then makes small numbers, not infinite ones.
    scaled = (adjusted - adjusted[top]) / np.float32(max(sampling.temperature, _COLDEST))
    drawn = chance(wish.seed, wish.position)
    if sampling.top_p < 1 or sampling.top_k > 0 or sampling.min_p > 0:
        return _filtered(scaled, sampling, drawn)
    return _passed(np.cumsum(np.exp(scaled), dtype=np.float64), drawn)


def _filtered(scaled: Floats, sampling: Sampling, drawn: float) -> int:
    """The token of a row with top-k, top-p or min-p."""
    vocabulary = scaled.shape[0]
    top_k = min(sampling.top_k or vocabulary, vocabulary)
    total = float(np.exp(scaled).sum(dtype=np.float64)) if top_k == vocabulary else None
    count = min(vocabulary, CANDIDATES)
    while True:
        ids = _likeliest(scaled, count)
        weights = np.exp(scaled[ids], dtype=np.float64)
        weights[top_k:] = 0.0
        known = float(weights.sum())
        # What top-p measures against: the tokens that top-k left, or the whole vocabulary.
        against = sampling.top_p * (known if total is None else total)
        inside = (np.cumsum(weights) - weights < against) & (weights >= sampling.min_p * weights[0])
        inside[0] = True
        enough = (
            count == vocabulary
            or top_k <= count
            or (sampling.top_p < 1 and known >= against)
            or weights[-1] < sampling.min_p * weights[0]
        )
        if enough:
            return int(ids[_passed(np.cumsum(np.where(inside, weights, 0.0)), drawn)])
        count = vocabulary


def _passed(sums: npt.NDArray[np.float64], drawn: float) -> int:
    """The first place at which the running sum passes the row's chance."""
    total = float(sums[-1])
    at, end = np.searchsorted(sums, [drawn * total, total], side="right")
    return int(min(at, end - 1, len(sums) - 1))


def _likeliest(values: Floats, count: int) -> npt.NDArray[np.int64]:
    """The ids of the `count` largest, the largest first."""
    if count == values.shape[0]:
        return np.argsort(-values, kind="stable")
    ids = np.argpartition(-values, count - 1)[:count]
    return ids[np.argsort(-values[ids], kind="stable")]


def _logprobs(logits: Floats, token: int, count: int) -> tuple[TokenLogprob, ...]:
    """The chosen token first, then the likeliest: of the model itself, before temperature, penalties and filters."""
    largest = float(logits.max())
    total = largest + float(np.log(np.exp(logits - logits.max(), dtype=np.float64).sum()))
    ids = [token, *(int(each) for each in (_likeliest(logits, count) if count else ()))]
    return tuple(TokenLogprob(token_id=each, logprob=float(logits[each]) - total) for each in ids)
