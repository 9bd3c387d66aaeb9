"""Weights of llama-like models as host_model.py multiplies with them: where MLX has them, and how they are shared out.

Of what makes features (queries, keys, values, gate, up, head) a share has some rows; of what brings features together (the
projections back) it has the columns that belong to them, so that its products are parts of a sum. What is multiplied with the
same numbers lies below each other, and is one product for who works alone. MLX's own modules keep views of the same memory:
nothing is held twice, and model code still works.
"""

# MLX's stubs leave the shapes of `reshape` and `transpose` untyped.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx_lm.models.rope_utils import Llama3RoPE, YarnRoPE

from paddock.runner.mlx.cores import PRODUCTS, Floats
from paddock.runner.mlx.host import look
from paddock.runner.mlx.seam import evaluate, weights_of

# Modules whose layers are what host_model.py computes; each has its cells in tests/exactness or tests/runner/vision.
_LIKE_LLAMA: Final = frozenset(
    {
        "mlx_lm.models.llama",  # mistral is llama
        "mlx_lm.models.qwen2",
        "mlx_lm.models.qwen3",
        "mlx_vlm.models.idefics3.language",
        "mlx_vlm.models.llava.language",
        "mlx_vlm.models.pixtral.language",
        "mlx_vlm.models.qwen2_5_vl.language",
        "mlx_vlm.models.qwen2_vl.language",
        "mlx_vlm.models.qwen3_vl.language",
    }
)
_ROTATIONS: Final = (nn.RoPE, Llama3RoPE, YarnRoPE)
_STYLES: Final = frozenset({"chunked", "interleaved"})  # of rotations by three axes: which of them turns which part


@dataclass(frozen=True, slots=True)
class Linear:
    weight: Floats  # [out, in]
    bias: Floats | None  # [out, 1]

    def rows(self, part: slice) -> "Linear":
        return Linear(self.weight[part], None if self.bias is None else self.bias[part])

    def columns(self, part: slice) -> "Linear":
        """Its products are summed up by whoever puts the parts together, and then get the bias: once."""
        return Linear(self.weight[:, part], None)


@dataclass(frozen=True, slots=True)
class Norm:
    weight: Floats  # [size, 1], or [heads, size, 1]
    epsilon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerWeights:
    """Of one layer; or the part of them that one share works with, its heads being `query_heads` and `kv_heads`."""

    query_heads: slice
    kv_heads: slice
    head_size: int
    before_attention: Norm
    looks: tuple[Linear, ...]  # queries, keys and values, to be stacked
    head_norm: Norm | None  # [query heads and key heads, head size, 1]
    attended: Linear
    attended_bias: Floats | None
    before_inner: Norm
    gate_up: tuple[Linear, ...]  # to be stacked
    down: Linear
    down_bias: Floats | None

    @property
    def inner(self) -> int:
        return self.down.weight.shape[1]

    def share(self, number: int, of: int) -> "LayerWeights":
        """Heads are not cut; what is between gate and down may be cut anywhere."""
        if of == 1:
            return self
        (looks,), (gate_up,) = self.looks, self.gate_up
        heads, kv_heads, size, inner = self.query_heads.stop, self.kv_heads.stop, self.head_size, self.inner
        mine, mine_kv = _cut(heads, number, of), _cut(kv_heads, number, of)
        features = _cut(inner, number, of)
        norm = self.head_norm
        if norm is not None:
            weight = np.concatenate([norm.weight[:heads][mine], norm.weight[heads:][mine_kv]])
            norm = replace(norm, weight=weight)
        # Heads of queries, keys and values in one row of heads.
        rows = [mine, _after(heads, mine_kv), _after(heads + kv_heads, mine_kv)]
        return replace(
            self,
            query_heads=mine,
            kv_heads=mine_kv,
            looks=tuple(looks.rows(_times(part, size)) for part in rows),
            head_norm=norm,
            attended=self.attended.columns(_times(mine, size)),
            gate_up=(gate_up.rows(features), gate_up.rows(_after(inner, features))),
            down=self.down.columns(features),
        )


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


def words(weights: HostWeights, number: int, of: int) -> slice:
    """The part of the vocabulary whose logits one share computes."""
    return _cut(weights.head.weight.shape[0], number, of)


def bring_home(model: Any) -> HostWeights | None:
    """Evaluate the weights of `model`, one after the other; None, and nothing done, for a model of another kind, or where
    NumPy has no BLAS that is known to be fast."""
    if not PRODUCTS.found or not _is_known(model):
        return None
    backbone = getattr(model, "model", model)
    attention = backbone.layers[0].self_attn
    layers = tuple(_layer(layer) for layer in backbone.layers)
    head = getattr(model, "lm_head", None)
    return HostWeights(
        heads=attention.n_heads,
        kv_heads=attention.n_kv_heads,
        scale=attention.scale,
        embedding=_numbers(backbone.embed_tokens.weight),
        layers=layers,
        last=_norm(backbone.norm),
        head=_linear(backbone.embed_tokens if head is None else head),
        rotation=_rotation(attention),
    )


def _is_known(model: Any) -> bool:
    if type(model).__module__ not in _LIKE_LLAMA or mx.default_device() != mx.Device(mx.cpu):
        return False
    if any(weight.dtype != mx.float32 for _, weight in weights_of(model)):
        return False
    backbone, head = getattr(model, "model", model), getattr(model, "lm_head", None)
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
        if (
            not _turns_whole_heads(attention)
            or inner.gate_proj.weight.shape != backbone.layers[0].mlp.gate_proj.weight.shape
        ):
            return False
    return all(type(module) is kind for kind, module in kinds)


def _turns_whole_heads(attention: Any) -> bool:
    rope = _rotation(attention)
    size = attention.q_proj.weight.shape[0] // attention.n_heads
    if getattr(rope, "position_selector", None) is not None:
        return rope.style in _STYLES and rope.dim == size and size % 2 == 0
    return type(rope) in _ROTATIONS and not rope.traditional and rope.dims == size and size % 2 == 0


def _rotation(attention: Any) -> Any:
    return attention.rope if hasattr(attention, "rope") else attention.rotary_emb


def _layer(layer: Any) -> LayerWeights:
    attention, inner = layer.self_attn, layer.mlp
    head_norm = None
    if hasattr(attention, "q_norm"):
        queries, keys = _norm(attention.q_norm), _norm(attention.k_norm)
        weights = [queries.weight] * attention.n_heads + [keys.weight] * attention.n_kv_heads
        head_norm = Norm(np.stack(weights), queries.epsilon)
    looks = _stacked([attention.q_proj, attention.k_proj, attention.v_proj])
    attended, down = _linear(attention.o_proj), _linear(inner.down_proj)
    return LayerWeights(
        query_heads=slice(0, attention.n_heads),
        kv_heads=slice(0, attention.n_kv_heads),
        head_size=looks.weight.shape[0] // (attention.n_heads + 2 * attention.n_kv_heads),
        before_attention=_norm(layer.input_layernorm),
        looks=(looks,),
        head_norm=head_norm,
        attended=attended,
        attended_bias=attended.bias,
        before_inner=_norm(layer.post_attention_layernorm),
        gate_up=(_stacked([inner.gate_proj, inner.up_proj]),),
        down=down,
        down_bias=down.bias,
    )


def _stacked(modules: Sequence[Any]) -> Linear:
    """Their weights in one array; each module is left with a view of its part."""
    together = mx.concatenate([module.weight for module in modules])
    numbers = _numbers(together)
    biases: list[Floats] = []
    begin = 0
    for module in modules:
        end = begin + module.weight.shape[0]
        module.weight = together[begin:end]
        evaluate(module.weight)
        begin = end
        if "bias" in module:
            biases.append(_numbers(module.bias)[:, None])
    assert len(biases) in {0, len(modules)}, "parts of one product have a bias or have none"
    return Linear(numbers, np.concatenate(biases) if biases else None)


def _norm(module: Any) -> Norm:
    return Norm(_numbers(module.weight)[:, None], module.eps)


def _linear(module: Any) -> Linear:
    bias = _numbers(module.bias)[:, None] if "bias" in module else None
    return Linear(_numbers(module.weight), bias)


def _numbers(array: mx.array) -> Floats:
    evaluate(array)
    return look(array)


def _cut(total: int, number: int, of: int) -> slice:
    return slice(total * number // of, total * (number + 1) // of)


def _after(offset: int, part: slice) -> slice:
    return slice(offset + part.start, offset + part.stop)


def _times(part: slice, size: int) -> slice:
    return slice(part.start * size, part.stop * size)
