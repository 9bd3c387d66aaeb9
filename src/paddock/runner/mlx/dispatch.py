"""Which architectures run on pages, and how their model code is brought to it.

Model files of mlx-lm and mlx-vlm import `scaled_dot_product_attention` by name and hand it their layer's cache. That name in
their module is replaced, once a process and for good, by a function that asks the cache: ours answers from its pages, every
other goes to their own, so that the solo lane, and anybody else in the process, sees no difference.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, cast

import mlx.core as mx
from mlx_lm.models import switch_layers

from paddock.runner.mlx.host import is_working, silu_times
from paddock.runner.mlx.host_layer import HostLayer
from paddock.runner.mlx.paged import LayerShape, PagedLayer
from paddock.runner.mlx.seam import layer_caches
from paddock.runner.mlx.slabs import Shape

# By the module of the model's class: where its attention is. Each has its cells in tests/exactness or tests/runner/vision.
# What is not here, or does not keep plain keys and values, runs in the solo lane.
_OF_TEXT_MODELS: Final = {
    "llama": "llama",  # mistral too
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "qwen3_moe": "qwen3_moe",
    "mixtral": "mixtral",
    "phi3": "phi3",
    "gemma3": "gemma3_text",
    "gemma3_text": "gemma3_text",
    "gpt_oss": "gpt_oss",
}
# The language parts of mlx-vlm's models, each in a module of its own.
_OF_SEEING_MODELS: Final = (
    "gemma3",
    "idefics3",
    "llava",
    "pixtral",
    "qwen2_5_vl",
    "qwen2_vl",
    "qwen3_vl",
    "qwen3_vl_moe",
)
PAGED: Final = {
    **{f"mlx_lm.models.{name}": f"mlx_lm.models.{place}" for name, place in _OF_TEXT_MODELS.items()},
    **{f"mlx_vlm.models.{name}.language": f"mlx_vlm.models.{name}.language" for name in _OF_SEEING_MODELS},
    "mlx_vlm.models.mistral3.language": "mlx_vlm.models.pixtral.language",
}
# These take whichever layers their config names, and only some of them page: those from the module with the attention.
_BY_BACKBONE: Final = frozenset({"mlx_vlm.models.mistral3.language"})
_CACHES: Final = frozenset({"mlx_lm.models.cache", "mlx_vlm.models.cache"})


_INSTALLED: Final[set[str]] = set()  # modules that ask the cache already
_ACTIVATED: Final[set[str]] = set()  # modules whose activations may be computed on the host


def paged_shapes(model: Any) -> list[LayerShape] | None:
    """What each layer keeps, when this model may run on pages. None: it goes solo."""
    module = type(model).__module__
    if module not in PAGED or (module in _BY_BACKBONE and not _is_from(model.model.__class__, PAGED[module])):
        return None
    caches = layer_caches(model)
    if not all(_pages(cache) for cache in caches):
        return None
    # The shapes of keys and values are known after a run of one token, without anything being computed.
    model(mx.zeros((1, 1), mx.int32), cache=caches)
    return [LayerShape(_shape(cache.keys), _shape(cache.values), getattr(cache, "max_size", None)) for cache in caches]


def install(model: Any) -> None:
    """Bring the model's module to ask the cache. Idempotent."""
    module: Any = import_module(PAGED[type(model).__module__])
    if module.__name__ in _INSTALLED:
        return
    _INSTALLED.add(module.__name__)
    original = module.scaled_dot_product_attention

    def scaled_dot_product_attention(
        queries: mx.array,
        keys: mx.array,
        values: mx.array,
        cache: Any,
        scale: float,
        mask: Any,
        sinks: mx.array | None = None,
    ) -> mx.array:
        if isinstance(cache, PagedLayer | HostLayer):
            return cache.attend(queries, scale, sinks)
        return original(queries, keys, values, cache=cache, scale=scale, mask=mask, sinks=sinks)

    module.scaled_dot_product_attention = scaled_dot_product_attention
    others = [import_module("mlx_vlm.models.mlp")] if module.__name__.startswith("mlx_vlm.") else [switch_layers]
    for each in (module, *others):
        _bring_activation_home(each)


def _bring_activation_home(module: Any) -> None:
    """silu(gate) * up goes to host.py in its steps. Modules that write it otherwise are as fast as MLX is."""
    original = getattr(module, "swiglu", None)
    if original is None or module.__name__ in _ACTIVATED:
        return
    _ACTIVATED.add(module.__name__)

    def swiglu(gate: mx.array, x: mx.array) -> mx.array:
        if is_working() and gate.dtype == x.dtype == mx.float32:
            return silu_times(gate, x)
        return original(gate, x)

    module.swiglu = swiglu


def kv_bytes_per_token(shapes: Sequence[LayerShape]) -> int:
    return sum(shape.keys.bytes(1) + shape.values.bytes(1) for shape in shapes)


def _pages(cache: Any) -> bool:
    """Plain keys and values, or those of the last so many tokens. Exactly these classes: a subclass may do anything."""
    kind = cast("type[object]", type(cache))
    if kind.__module__ not in _CACHES:
        return False
    return kind.__name__ == "KVCache" or (kind.__name__ == "RotatingKVCache" and cache.keep == 0)


def _is_from(kind: type[object], module: str) -> bool:
    return any(each.__module__ == module for each in kind.__mro__)


def _shape(array: mx.array) -> Shape:
    _, heads, _, size = array.shape
    return Shape(heads, size, array.dtype)
