"""Which lane a model takes, and the executor around it."""

import time
from collections.abc import Iterable
from typing import Any, Final

import mlx.core as mx

from paddock.runner.executor import LoadedModel
from paddock.runner.mlx.backbone import RowSelection
from paddock.runner.mlx.executor import MlxExecutor
from paddock.runner.mlx.lane import Lane
from paddock.runner.mlx.loading import Weights
from paddock.runner.mlx.seam import layer_caches
from paddock.runner.mlx.solo import SoloLane

BLOCK_TOKENS: Final = 32


def make_executor(
    weights: Weights,
    *,
    end_token_ids: Iterable[int] = (),
    context_window: int | None = None,
    device: str = "cpu",
    blas: str | None = None,
    started: float | None = None,
    memory_bytes: int | None = None,
) -> MlxExecutor:
    """Put `weights` to work. `context_window` lowers the model's own."""
    model = weights.model
    own = weights.folder.context_window
    window = min(own, context_window) if context_window else own
    selection = RowSelection(model)
    lane: Lane = SoloLane(model, selection)
    return MlxExecutor(
        lane,
        LoadedModel(
            architecture=weights.folder.architecture,
            vocabulary=weights.vocabulary,
            context_window=window,
            end_token_ids=frozenset(end_token_ids) | frozenset(weights.folder.end_token_ids),
            pages=False,
            block_tokens=BLOCK_TOKENS,
            block_count=0,
            bytes_per_token=bytes_per_token(model),
            memory_bytes=memory_bytes or weights.bytes,
            load_seconds=time.perf_counter() - started if started is not None else 0.0,
            device=device,
            blas=blas,
        ),
    )


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
