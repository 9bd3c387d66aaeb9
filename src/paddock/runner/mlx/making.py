"""Which lane a model takes, and the executor around it."""

import time
from collections.abc import Iterable
from typing import Any, Final

import mlx.core as mx
import psutil

from paddock.errors import Incompatible, NotEnoughMemory
from paddock.runner.executor import LoadedModel
from paddock.runner.mlx.backbone import RowSelection
from paddock.runner.mlx.dispatch import install, kv_bytes_per_token, paged_shapes
from paddock.runner.mlx.drafter import MlxDrafter
from paddock.runner.mlx.executor import MlxExecutor
from paddock.runner.mlx.lane import Lane
from paddock.runner.mlx.layout import WORK_BYTES, device_kind
from paddock.runner.mlx.loading import Weights
from paddock.runner.mlx.paged import PagedLane
from paddock.runner.mlx.seam import layer_caches
from paddock.runner.mlx.solo import SoloLane
from paddock.runner.mlx.vision.column import Pictures
from paddock.units import human_bytes

BLOCK_TOKENS: Final = 32
_BLOCKS_MIN: Final = 8
_BLOCKS_MAX: Final = 65_536  # two million tokens


def make_executor(
    weights: Weights,
    *,
    end_token_ids: Iterable[int] = (),
    context_window: int | None = None,
    started: float | None = None,
    blas: str | None = None,
    reserved_bytes: int = 0,
    blocks: int | None = None,
    paged: bool = True,
    pictures: Pictures | None = None,
) -> MlxExecutor:
    """Put `weights` to work. Raises NotEnoughMemory when they leave no room for keys and values.

    `context_window` and `blocks` lower what the model and the memory would allow; `reserved_bytes` belong to somebody else;
    `paged` off sends any model through the solo lane. `pictures` are those of a model that sees.
    """
    model = weights.model
    own = weights.folder.context_window
    selection = RowSelection(model)
    shapes = paged_shapes(model) if paged else None
    lane: Lane
    if shapes is None:
        lane, per_token, block_count = SoloLane(model, selection, pictures), bytes_per_token(model), 0
    else:
        install(model)
        lane = PagedLane(selection, shapes, block_tokens=BLOCK_TOKENS, host=weights.host, pictures=pictures)
        per_token = kv_bytes_per_token(shapes)
        block_count = _blocks_that_fit(weights, per_token * BLOCK_TOKENS, reserved_bytes, most=blocks)
    device = device_kind()
    return MlxExecutor(
        lane,
        LoadedModel(
            architecture=weights.folder.architecture,
            vocabulary=weights.vocabulary,
            context_window=min(own, context_window) if context_window else own,
            end_token_ids=frozenset(end_token_ids) | frozenset(weights.folder.end_token_ids),
            pages=shapes is not None,
            block_tokens=BLOCK_TOKENS,
            block_count=block_count,
            bytes_per_token=per_token,
            memory_bytes=psutil.Process().memory_info().rss if device == "cpu" else mx.get_active_memory(),
            load_seconds=time.perf_counter() - started if started is not None else 0.0,
            device=device,
            blas=blas if device == "cpu" else None,
        ),
        pictures,
    )


def make_drafter(weights: Weights, draft: Weights) -> tuple[MlxDrafter, int]:
    """A small model that guesses for `weights`, and the bytes that it takes from their common limit.

    Raises Incompatible for a model that cannot draft. Both caches get room for the same number of tokens.
    """
    shapes = paged_shapes(draft.model)
    if shapes is None:
        raise Incompatible(
            f"`{draft.folder.name}` ({draft.folder.architecture}) cannot be a draft model.",
            hint="Take a small model of the same family as the large one, such as llama or qwen3.",
        )
    room = max(0, weights.limit_bytes - weights.bytes - draft.bytes - WORK_BYTES)
    per_token = kv_bytes_per_token(shapes)
    block_bytes = per_token * BLOCK_TOKENS
    share = per_token / (per_token + bytes_per_token(weights.model))
    block_count = min(int(room * share) // block_bytes, _BLOCKS_MAX)
    install(draft.model)
    drafter = MlxDrafter(
        PagedLane(RowSelection(draft.model), shapes, block_tokens=BLOCK_TOKENS, host=draft.host),
        vocabulary=draft.vocabulary,
        context_window=draft.folder.context_window,
        block_tokens=BLOCK_TOKENS,
        block_count=block_count,
    )
    return drafter, draft.bytes + block_count * block_bytes


def _blocks_that_fit(weights: Weights, block_bytes: int, reserved_bytes: int, *, most: int | None) -> int:
    """How many blocks the memory limit leaves room for. Raises NotEnoughMemory when that is no useful number."""
    room = weights.limit_bytes - weights.bytes - WORK_BYTES - reserved_bytes
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
