"""Which lane a model takes, and the executor around it."""

import time
from collections.abc import Iterable
from typing import Any, Final

import mlx.core as mx

from paddock.errors import NotEnoughMemory
from paddock.runner.executor import LoadedModel
from paddock.runner.mlx.backbone import RowSelection
from paddock.runner.mlx.dispatch import install, kv_bytes_per_token, paged_shapes
from paddock.runner.mlx.executor import MlxExecutor
from paddock.runner.mlx.lane import Lane
from paddock.runner.mlx.loading import Weights
from paddock.runner.mlx.paged import PagedLane
from paddock.runner.mlx.seam import layer_caches
from paddock.runner.mlx.solo import SoloLane
from paddock.units import human_bytes

BLOCK_TOKENS: Final = 32
WORK_BYTES: Final = 64 * 1024 * 1024  # for activations and logits of a step
_BLOCKS_MIN: Final = 8
_BLOCKS_MAX: Final = 65_536  # two million tokens


def make_executor(
    weights: Weights,
    *,
    end_token_ids: Iterable[int] = (),
    context_window: int | None = None,
    device: str = "cpu",
    blas: str | None = None,
    started: float | None = None,
    memory_bytes: int | None = None,
    paged: bool = True,
    blocks: int | None = None,
) -> MlxExecutor:
    """Put `weights` to work. `context_window` lowers the model's own; `paged` off sends any model
    through the solo lane; `blocks` lowers the size of the pool."""
    model = weights.model
    own = weights.folder.context_window
    window = min(own, context_window) if context_window else own
    selection = RowSelection(model)
    shapes = paged_shapes(model) if paged else None
    lane: Lane = SoloLane(model, selection)
    per_token = bytes_per_token(model)
    block_count = 0
    if shapes is not None:
        install(model)
        lane = PagedLane(selection, shapes, block_tokens=BLOCK_TOKENS)
        per_token = kv_bytes_per_token(shapes)
        block_count = blocks_that_fit(weights, per_token * BLOCK_TOKENS, most=blocks)
    return MlxExecutor(
        lane,
        LoadedModel(
            architecture=weights.folder.architecture,
            vocabulary=weights.vocabulary,
            context_window=window,
            end_token_ids=frozenset(end_token_ids) | frozenset(weights.folder.end_token_ids),
            pages=shapes is not None,
            block_tokens=BLOCK_TOKENS,
            block_count=block_count,
            bytes_per_token=per_token,
            memory_bytes=memory_bytes or weights.bytes,
            load_seconds=time.perf_counter() - started if started is not None else 0.0,
            device=device,
            blas=blas,
        ),
    )


def blocks_that_fit(weights: Weights, block_bytes: int, *, most: int | None = None) -> int:
    """How many blocks the memory limit leaves room for. Raises NotEnoughMemory when that is no useful number."""
    room = weights.limit_bytes - weights.bytes - WORK_BYTES
    count = min(room // block_bytes, _BLOCKS_MAX, most or _BLOCKS_MAX)
    if count < _BLOCKS_MIN and count != most:
        raise NotEnoughMemory(
            f"`{weights.folder.name}` leaves no room for its cache: it takes {human_bytes(weights.bytes)} of "
            f"{human_bytes(weights.limit_bytes)}.",
            hint="Unload another model, take a smaller quantization, or raise `pool.memory`.",
        )
    return count


def bytes_per_token(model: Any) -> int:
    """What one more token takes in the caches that grow. From the shapes of one token's run; nothing is computed."""
    caches = layer_caches(model)
    model(mx.zeros((1, 1), mx.int32), cache=caches)
    total = 0
    for cache in caches:
        for part in (getattr(cache, "keys", None), getattr(cache, "values", None)):
            if isinstance(part, mx.array):
                total += part.nbytes // part.shape[2]
    return total
