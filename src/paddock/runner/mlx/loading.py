"""Weights into memory, in the layout that the device is fast with, through the loader and model code of a library."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import mlx.core as mx

from paddock.errors import Corrupt, Incompatible
from paddock.runner.mlx.folder import ModelFolder, read_folder
from paddock.runner.mlx.host_weights import HostWeights, bring_home
from paddock.runner.mlx.layout import Layout, choose_layout, memory_share
from paddock.runner.mlx.seam import evaluate, layer_caches, logits_of, open_lazily, unpack_quantized, weights_of

_HINT: Final = "Pull the model again: `paddock pull`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A model in memory."""

    folder: ModelFolder
    model: Any  # takes tokens, gives logits: an mlx-lm Model, or the language part of one that sees
    whole: Any  # the same, with all of its other parts
    layout: Layout
    vocabulary: int
    bytes: int
    limit_bytes: int  # weights and KV cache together
    host: HostWeights | None = None  # the same memory, where a CPU works on it without MLX


def load_weights(
    path: Path,
    name: str,
    *,
    memory_bytes_max: int | None = None,
    opener: Callable[[Path], Any] = open_lazily,
    language_of: Callable[[Any], Any] = lambda model: model,
) -> Weights:
    """Load the model in the folder `path`, through `opener`; `language_of` finds the part of it that takes tokens.

    Raises Incompatible for an architecture that the opener's library does not know, Corrupt for files that are broken or
    contradict each other, NotEnoughMemory when it does not fit in any layout.
    """
    folder = read_folder(path, name)
    limit = memory_bytes_max or memory_share()
    layout = choose_layout(folder, limit)
    whole = _build(folder, opener)
    model = language_of(whole)
    if layout.dtype is not None:
        _convert(whole, layout.dtype)
    try:
        # One at a time: what a weight was made of can go before the next is read.
        host = bring_home(model)
        for _, weight in weights_of(whole):
            evaluate(weight)
    except (RuntimeError, ValueError) as error:
        raise Corrupt(f"The weights of `{name}` cannot be read: {_in_short(error, folder)}", hint=_HINT) from error
    return Weights(
        folder=folder,
        model=model,
        whole=whole,
        layout=layout,
        vocabulary=_probe(model, folder),
        bytes=sum(weight.nbytes for _, weight in weights_of(whole)),
        limit_bytes=limit,
        host=host,
    )


def _build(folder: ModelFolder, opener: Callable[[Path], Any]) -> Any:
    """The model with its weights still on disk."""
    name = folder.name
    try:
        model = opener(folder.path)
    except ValueError as error:
        text = _in_short(error, folder)
        if "not supported" in text or "Unsupported" in text or "unsupported" in text:
            raise Incompatible(
                f"`{name}` is of architecture `{folder.architecture}`, which cannot run here: {text}",
                hint="Look for another model, or a newer Paddock.",
            ) from error
        raise Corrupt(f"The weights of `{name}` contradict its config.json: {text}", hint=_HINT) from error
    # Model code of another project, run on a config of a stranger: it fails in whichever way Python does.
    except (TypeError, KeyError, AttributeError, IndexError, ArithmeticError, AssertionError) as error:
        raise Corrupt(
            f"The config.json of `{name}` does not describe a `{folder.architecture}` model: {_in_short(error, folder)}",
            hint=_HINT,
        ) from error
    except (RuntimeError, OSError) as error:
        raise Corrupt(f"The weights of `{name}` cannot be read: {_in_short(error, folder)}", hint=_HINT) from error
    return model


def _convert(model: Any, dtype: mx.Dtype) -> None:
    """All weights to `dtype`, quantized ones unpacked. Nothing is computed yet."""
    # Scales first: unpacking is then done in the wide type, without rounding to the narrow one on the way.
    _cast(model, dtype)
    unpack_quantized(model)
    _cast(model, dtype)


def _cast(model: Any, dtype: mx.Dtype) -> None:
    # Some routers must not lose precision; to float32 nothing does.
    keep: Callable[[str], bool] | None = getattr(model, "cast_predicate", None) if dtype != mx.float32 else None
    model.load_weights(
        [
            (
                key,
                value.astype(dtype)
                if (keep is None or keep(key)) and mx.issubdtype(value.dtype, mx.floating)
                else value,
            )
            for key, value in weights_of(model)
        ]
    )


def _probe(model: Any, folder: ModelFolder) -> int:
    """The vocabulary, from the shape of one token's logits. Shapes are known without computing anything."""
    try:
        return int(logits_of(model(mx.zeros((1, 1), mx.int32), cache=layer_caches(model))).shape[-1])
    except (ValueError, TypeError, RuntimeError, IndexError, AttributeError) as error:
        raise Corrupt(
            f"The config.json of `{folder.name}` and its weights do not make a model that runs: {_in_short(error, folder)}",
            hint=_HINT,
        ) from error


def _in_short(error: BaseException, folder: ModelFolder) -> str:
    """What another project's error says, on one line and without this machine's paths."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.replace(f"{folder.path}/", "").replace(str(folder.path), folder.name)[:300]
