"""Where MLX begins: its functions with the types that its stubs leave out. Unlike `mlx/seam.py` it brings no mlx-lm along."""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false

from typing import Any, cast

import mlx.core as mx
from mlx.utils import tree_flatten


def evaluate(*arrays: Any) -> None:
    """Compute them, and return when that is done."""
    cast("Any", mx.eval)(*arrays)


def to_device(array: object) -> mx.array:
    """A NumPy array as one of MLX."""
    return mx.array(cast("Any", array))


def weights_of(model: Any) -> list[tuple[str, mx.array]]:
    """Every parameter by its path."""
    return cast("Any", tree_flatten)(model.parameters())


def unpack_quantized(model: Any) -> None:
    """Replace quantized layers by plain ones. Nothing is computed yet."""
    from mlx_lm.utils import dequantize_model  # takes seconds to import

    cast("Any", dequantize_model)(model)
