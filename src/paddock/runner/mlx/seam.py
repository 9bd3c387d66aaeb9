"""Where MLX and mlx-lm begin: their functions with the types that their stubs leave out."""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.models.cache import make_prompt_cache
from mlx_lm.utils import dequantize_model, load_model

from paddock.runner.mlx.plain_tokenizer import read_plain


def evaluate(*arrays: Any) -> None:
    """Compute them, and return when that is done. Takes arrays and lists of arrays."""
    cast("Any", mx.eval)(*arrays)


def begin_evaluating(array: mx.array) -> None:
    """Have the device compute it, and return at once."""
    cast("Any", mx.async_eval)(array)


def to_device(array: object) -> mx.array:
    """A NumPy array as one of MLX."""
    return mx.array(cast("Any", array))


def table(array: mx.array) -> list[list[Any]]:
    """The rows of a matrix."""
    return cast("list[list[Any]]", array.tolist())


def integers(array: mx.array) -> list[int]:
    return cast("list[int]", array.tolist())


def numbers(array: mx.array) -> list[float]:
    return cast("list[float]", array.tolist())


def truths(array: mx.array) -> list[bool]:
    return cast("list[bool]", array.tolist())


def weights_of(model: Any) -> list[tuple[str, mx.array]]:
    """Every parameter by its path."""
    return cast("Any", tree_flatten)(model.parameters())


def open_lazily(path: Path) -> Any:
    """An mlx-lm Model whose weights are still on disk; never runs code out of the folder."""
    model, _ = cast("Any", load_model)(path, lazy=True, strict=True, trust_remote_code=False)
    return model


def read_tokenizer(folder: Path, end_token_ids: Sequence[int]) -> Any:
    """mlx-lm's TokenizerWrapper, or what answers as it does; never runs code out of the folder, never asks the network."""
    if (plain := read_plain(folder, end_token_ids)) is not None:
        return plain
    # Only now: it brings all of transformers.
    from mlx_lm.tokenizer_utils import load as load_wrapper

    safely = {"trust_remote_code": False, "local_files_only": True}
    return cast("Any", load_wrapper)(folder, tokenizer_config_extra=safely, eos_token_ids=list(end_token_ids))


def logits_of(answer: Any) -> mx.array:
    """What model code gave, without the wrapping that some put around it."""
    return getattr(answer, "logits", answer)


def unpack_quantized(model: Any) -> None:
    """Replace quantized layers by plain ones. Nothing is computed yet."""
    cast("Any", dequantize_model)(model)


def layer_caches(model: Any) -> list[Any]:
    """A new cache for each layer, of whatever class its architecture wants."""
    return cast("Any", make_prompt_cache)(model)
