"""From tokens to a vector for each of them, by architecture, with mlx-embeddings' layers.

What the library itself makes of them is left alone: it pools BERTs by mean whatever their authors say, throws the vectors
of a ModernBERT's tokens away, asks for weights of a pooler that many files lack, gives Gemma's narrow layers the wide mask.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from collections.abc import Callable, Mapping
from typing import Any, Final

import mlx.core as mx

Tower = Callable[[Any, mx.array, mx.array, mx.array], mx.array]
"""(model, token ids, mask, types), each [rows, tokens], to [rows, tokens, hidden]. What padding gets does not matter."""


def tower(architecture: str) -> Tower:
    return _TOWERS[architecture]


def _bert(model: Any, ids: mx.array, mask: mx.array, types: mx.array) -> mx.array:
    hidden = model.embeddings(ids, token_type_ids=types)
    return model.encoder(hidden, _hide(mask, hidden))


def _roberta(model: Any, ids: mx.array, mask: mx.array, types: mx.array) -> mx.array:
    first = int(model.config.pad_token_id) + 1
    # Told, not found out: the library takes every padding token for padding, also one that was sent.
    positions = mx.broadcast_to(mx.arange(first, first + ids.shape[1])[None], ids.shape)
    positions = mx.where(mask > 0, positions, first - 1)
    hidden = model.embeddings(ids, token_type_ids=mx.zeros_like(ids), position_ids=positions)
    return model.encoder(hidden, _hide(mask, hidden))[0]


def _modernbert(model: Any, ids: mx.array, mask: mx.array, types: mx.array) -> mx.array:
    dtype = model.model.embeddings.tok_embeddings(ids[:1, :1]).dtype
    return model.model(ids, attention_mask=mask.astype(dtype))["last_hidden_state"]


def _qwen3(model: Any, ids: mx.array, mask: mx.array, types: mx.array) -> mx.array:
    # Each token sees what is before it, and padding is behind: the library's causal mask is all that is needed.
    return model.model(ids)


def _gemma3(model: Any, ids: mx.array, mask: mx.array, types: mx.array) -> mx.array:
    inner = model.model
    hidden = inner.embed_tokens(ids)
    hidden *= mx.array(inner.config.hidden_size**0.5, hidden.dtype)
    wide = _hide(mask, hidden)
    places = mx.arange(ids.shape[1])
    window = int(inner.config.sliding_window) // 2 + 1  # to both sides
    near = mx.abs(places[:, None] - places[None]) < window
    narrow = mx.where(near[None, None], wide, mx.array(-mx.inf, hidden.dtype))
    wide = mx.broadcast_to(wide, narrow.shape)
    pattern = int(inner.config.sliding_window_pattern)
    for number, layer in enumerate(inner.layers):
        hidden = layer(hidden, wide if number % pattern == pattern - 1 else narrow, None)
    return inner.norm(hidden)


def _llama(model: Any, ids: mx.array, mask: mx.array, types: mx.array) -> mx.array:
    hidden = model.model.embed_tokens(ids[:1, :1])
    wide = _hide(mask, hidden)
    return model.model(ids, mx.broadcast_to(wide, (*wide.shape[:2], ids.shape[1], ids.shape[1])))


def _hide(mask: mx.array, hidden: mx.array) -> mx.array:
    """Added to scores: padding is seen by nobody."""
    return mx.where(mask[:, None, None, :] > 0, 0.0, -1e9).astype(hidden.dtype)


_TOWERS: Final[Mapping[str, Tower]] = {
    "bert": _bert,
    "xlm_roberta": _roberta,
    "roberta": _roberta,
    "camembert": _roberta,
    "modernbert": _modernbert,
    "qwen3": _qwen3,
    "gemma3_text": _gemma3,
    "llama_bidirec": _llama,
}
