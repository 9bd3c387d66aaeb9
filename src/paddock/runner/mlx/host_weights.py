"""Weights of llama-like models as host_model.py multiplies with them.

A product of few rows spends its time with bringing weights into the order in which the processor wants them. They lie here
transposed, and what is multiplied with the same numbers lies side by side: a third to a half less time for up to 16 rows,
the same for hundreds. MLX's own modules keep views of the same memory: nothing is held twice, and model code still works.
"""

# MLX's stubs leave the shapes of `reshape` and `transpose` untyped.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx_lm.models.rope_utils import Llama3RoPE, YarnRoPE

from paddock.runner.mlx.host import PRODUCTS, Floats, look
from paddock.runner.mlx.seam import evaluate, weights_of

# Modules of mlx-lm whose layers are what host_model.py computes; each has its cells in tests/exactness.
_LIKE_LLAMA: Final = frozenset({"llama", "qwen2", "qwen3"})  # mistral is llama
_ROTATIONS: Final = (nn.RoPE, Llama3RoPE, YarnRoPE)
_ROWS: Final = 64  # copied at a time: they stay in the nearest cache while they are turned


@dataclass(frozen=True, slots=True)
class Linear:
    weight: Floats  # [in, out]
    bias: Floats | None


@dataclass(frozen=True, slots=True)
class Norm:
    weight: Floats
    epsilon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerWeights:
    before_attention: Norm
    queries_keys_values: Linear
    head_norm: Norm | None  # [query heads and key heads, head size]
    attended: Linear
    before_inner: Norm
    gate_up: Linear
    down: Linear


@dataclass(frozen=True, slots=True, kw_only=True)
class HostWeights:
    """All weights of a model but those of its rotation, which stays a module."""

    heads: int
    kv_heads: int
    scale: float
    embedding: Floats  # [vocabulary, hidden]
    layers: tuple[LayerWeights, ...]
    last: Norm
    head: Linear
    rotation: Any


def bring_home(model: Any) -> HostWeights | None:
    """Evaluate and turn the weights of `model`, one after the other; None, and nothing done, for a model of another kind,
    or where NumPy has no BLAS that is known to be fast."""
    if not PRODUCTS.found or not _is_known(model):
        return None
    backbone = model.model
    layers = tuple(_layer(layer) for layer in backbone.layers)
    evaluate(backbone.embed_tokens.weight)
    embedding = look(backbone.embed_tokens.weight)
    attention = backbone.layers[0].self_attn
    return HostWeights(
        heads=attention.n_heads,
        kv_heads=attention.n_kv_heads,
        scale=attention.scale,
        embedding=embedding,
        layers=layers,
        last=_norm(backbone.norm),
        # A head that is also the embedding stays as it is: rows are looked up there.
        head=Linear(embedding.T, None) if getattr(model, "lm_head", None) is None else _side_by_side([model.lm_head]),
        rotation=attention.rope,
    )


def _is_known(model: Any) -> bool:
    package, _, name = type(model).__module__.rpartition(".")
    if package != "mlx_lm.models" or name not in _LIKE_LLAMA or mx.default_device() != mx.Device(mx.cpu):
        return False
    if any(weight.dtype != mx.float32 for _, weight in weights_of(model)):
        return False
    backbone, head = model.model, getattr(model, "lm_head", None)
    kinds: list[tuple[type[Any], Any]] = [(nn.Embedding, backbone.embed_tokens), (nn.RMSNorm, backbone.norm)]
    if head is not None:
        kinds.append((nn.Linear, head))
    for layer in backbone.layers:
        attention, inner = layer.self_attn, layer.mlp
        kinds += [
            (nn.Linear, each) for each in (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj)
        ]
        kinds += [(nn.Linear, each) for each in (inner.gate_proj, inner.up_proj, inner.down_proj)]
        kinds += [(nn.RMSNorm, each) for each in (layer.input_layernorm, layer.post_attention_layernorm)]
        if not _turns_whole_heads(attention):
            return False
    return all(type(module) is kind for kind, module in kinds)


def _turns_whole_heads(attention: Any) -> bool:
    rope = attention.rope
    size = attention.q_proj.weight.shape[0] // attention.n_heads
    return type(rope) in _ROTATIONS and not rope.traditional and rope.dims == size and size % 2 == 0


def _layer(layer: Any) -> LayerWeights:
    attention, inner = layer.self_attn, layer.mlp
    head_norm = None
    if hasattr(attention, "q_norm"):
        queries, keys = _norm(attention.q_norm), _norm(attention.k_norm)
        rows = [queries.weight] * attention.n_heads + [keys.weight] * attention.n_kv_heads
        head_norm = Norm(np.stack(rows), queries.epsilon)
    return LayerWeights(
        before_attention=_norm(layer.input_layernorm),
        queries_keys_values=_side_by_side([attention.q_proj, attention.k_proj, attention.v_proj]),
        head_norm=head_norm,
        attended=_side_by_side([attention.o_proj]),
        before_inner=_norm(layer.post_attention_layernorm),
        gate_up=_side_by_side([inner.gate_proj, inner.up_proj]),
        down=_side_by_side([inner.down_proj]),
    )


def _norm(module: Any) -> Norm:
    evaluate(module.weight)
    return Norm(look(module.weight), module.eps)


def _side_by_side(modules: Sequence[Any]) -> Linear:
    """Their weights in one array; each module is left with a view of its part."""
    ends = np.cumsum([module.weight.shape[0] for module in modules]).tolist()
    begins = [0, *ends[:-1]]
    together = mx.zeros((modules[0].weight.shape[1], ends[-1]), mx.float32)
    evaluate(together)
    numbers = look(together)
    biases: list[Floats] = []
    for module, begin, end in zip(modules, begins, ends, strict=True):
        evaluate(module.weight)
        rows = look(module.weight)
        for row in range(0, end - begin, _ROWS):
            part = rows[row : row + _ROWS]
            numbers[:, begin + row : begin + row + len(part)] = part.T
        del rows
        module.weight = together[:, begin:end].T
        if "bias" in module:
            evaluate(module.bias)
            biases.append(look(module.bias))
    assert len(biases) in {0, len(modules)}, "parts of one product have a bias or have none"
    return Linear(numbers, np.concatenate(biases) if biases else None)
