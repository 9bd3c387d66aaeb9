"""A draft model beside the one that it guesses for: loaded, and refused when the two do not fit together."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import mlx.core as mx

from paddock.errors import Corrupt, Incompatible, UsageError
from paddock.runner.mlx.dispatch import paged_shapes
from paddock.runner.mlx.drafter import MlxDrafter
from paddock.runner.mlx.loading import Weights, load_weights
from paddock.runner.mlx.making import make_drafter
from paddock.runner.mlx.seam import layer_caches
from paddock.runner.mlx.tokenizer import MlxTokenizer, load_tokenizer

_SHARED_MIN: Final = 0.99  # of the tokens: families rename a reserved one now and then, and no guess ever is one


def open_draft(path: Path, name: str, *, target: Weights, tokenizer: MlxTokenizer) -> tuple[MlxDrafter, int]:
    """Load the draft in the folder `path`, try it once, and say which part of `target`'s memory it takes.

    Raises UsageError when the two speak different tokens, Incompatible when one of them cannot take a wrong guess back,
    and what loading a model raises; each names the draft.
    """
    model = target.folder.name
    if paged_shapes(target.model) is None:
        raise Incompatible(
            f"`{name}` cannot draft for `{model}`, which has no way to take a wrong guess back.",
            hint=f"Load `{model}` without a draft.",
        )
    # At least one byte: none would stand for no limit.
    weights = load_weights(path, name, memory_bytes_max=max(1, target.limit_bytes - target.bytes))
    own = load_tokenizer(path, name, weights.folder.end_token_ids)
    _check_vocabulary(model, tokenizer.vocabulary, name, own.vocabulary)
    _try_once(weights)
    return make_drafter(target, weights)


def _check_vocabulary(model: str, ours: Mapping[str, int], draft: str, theirs: Mapping[str, int]) -> None:
    """Token for token: a guess is a number, and must mean the same to both."""
    shared = len(ours.items() & theirs.items())
    if shared < _SHARED_MIN * max(len(ours), len(theirs)):
        raise UsageError(
            f"`{draft}` cannot draft for `{model}`: `{draft}` has {len(theirs)} tokens, `{model}` has {len(ours)}, "
            f"and only {shared} are the same.",
            hint="Take a smaller model of the same family as the draft, or guess without one: `--ngrams`.",
        )


def _try_once(weights: Weights) -> None:
    """A draft that does not run is found out while it loads, not by the first request."""
    name = weights.folder.name
    try:
        logits = weights.model(mx.array([[0]]), cache=layer_caches(weights.model))
        sound = bool(mx.isfinite(logits).all().item())
    except (RuntimeError, ValueError, TypeError) as error:
        raise Corrupt(
            f"The draft `{name}` does not run: {type(error).__name__}.", hint=f"Pull it again: `paddock pull {name}`."
        ) from error
    if not sound:
        raise Corrupt(
            f"The draft `{name}` gives numbers that are none (NaN or infinite).",
            hint=f"Pull it again: `paddock pull {name}`.",
        )
