"""Weights as MLX has them, for the layers in host_bert.py."""

from typing import Any, Final, cast

import mlx.core as mx
import numpy as np

from paddock.runner.embedding.encoder import Floats
from paddock.runner.embedding.host_bert import BertLayer, HostBert, Linear, Norm
from paddock.runner.embedding.mlx_arrays import weights_of
from paddock.runner.embedding.mlx_loading import EmbeddingWeights
from paddock.runner.mlx.cores import PRODUCTS
from paddock.runner.mlx.layout import device_kind

_LIKE_BERT: Final = frozenset({"bert", "xlm_roberta", "roberta", "camembert"})


def host_bert(weights: EmbeddingWeights) -> HostBert | None:
    """The same weights in NumPy's hands; None where MLX is to compute: on a GPU, and in other layers and types."""
    plain = all(each.dtype == mx.float32 for _, each in weights_of(weights.model))
    if device_kind() != "cpu" or weights.architecture not in _LIKE_BERT or not plain or not PRODUCTS.found:
        return None
    model, config = weights.model, weights.model.config
    return HostBert(
        words=_look(model.embeddings.word_embeddings.weight),
        positions=_look(model.embeddings.position_embeddings.weight),
        types=_look(model.embeddings.token_type_embeddings.weight),
        embedded=_norm(model.embeddings.LayerNorm),
        layers=tuple(_layer(each) for each in model.encoder.layer),
        heads=int(config.num_attention_heads),
        first_position=0 if weights.architecture == "bert" else int(config.pad_token_id) + 1,
    )


def _layer(layer: Any) -> BertLayer:
    attention = layer.attention
    looks = attention.self
    return BertLayer(
        looks=(_linear(looks.query), _linear(looks.key), _linear(looks.value)),
        attended=_linear(attention.output.dense),
        after_attention=_norm(attention.output.LayerNorm),
        up=_linear(layer.intermediate.dense),
        down=_linear(layer.output.dense),
        last=_norm(layer.output.LayerNorm),
    )


def _linear(layer: Any) -> Linear:
    return Linear(_look(layer.weight), _look(layer.bias)[:, None] if "bias" in layer else None)


def _norm(layer: Any) -> Norm:
    return Norm(_look(layer.weight)[:, None], _look(layer.bias)[:, None], float(layer.eps))


def _look(array: mx.array) -> Floats:
    """The memory of an evaluated array."""
    return cast("Floats", np.asarray(array))
