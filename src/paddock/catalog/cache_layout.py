"""What a model keeps in memory for every token of a conversation, layer by layer.

full attention     keys and values of every token            grows with the context
sliding window     keys and values of the last W tokens       grows up to W; in llama.cpp kept whole, as our runner wants it
latent attention   one compressed vector a token (MLA)        grows, slowly
recurrent          a state of fixed size                      never grows
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from paddock.catalog.evidence.config import text_settings
from paddock.catalog.headers import GgufArray, GgufHeader
from paddock.catalog.traits import normalised_architecture
from paddock.catalog.values import as_list, as_mapping, as_positive, as_text, first_positive

LAYERS_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class LayerCache:
    """One layer: values a token, how many tokens are kept (None: all), values that are always there."""

    values_per_token: int = 0
    window: int | None = None
    state_values: int = 0


@dataclass(frozen=True, slots=True)
class CacheLayout:
    layers: tuple[LayerCache, ...] = ()

    @property
    def values_per_token(self) -> int:
        """What one more token adds while no window is full."""
        return sum(layer.values_per_token for layer in self.layers)

    def values(self, context: int) -> int:
        """Values kept for `context` tokens, without recurrent states."""
        return sum(layer.values_per_token * min(context, layer.window or context) for layer in self.layers)

    @property
    def state_values(self) -> int:
        return sum(layer.state_values for layer in self.layers)


# The kinds of layers that configs and we name.
_FULL: Final = frozenset({"full_attention", "attention", "global", "full", "*"})
_SLIDING: Final = frozenset({"sliding_attention", "chunked_attention", "local", "local_attention", "sliding"})
_NO_CACHE: Final = frozenset({"-", "E", "mlp", "moe", "none"})

# mlx-lm keeps full keys and values for these although they could be compressed.
_MATERIALISED_LATENTS: Final = frozenset({"deepseek_v2", "minicpm3"})
_ALL_RECURRENT: Final = frozenset({"mamba", "mamba2", "falcon_mamba", "rwkv7", "rwkv6", "rwkv6qwen2", "arwkv7"})
_BOTH: Final = frozenset({"falcon_h1"})  # every layer has attention and a state
# Every N-th layer sees everything, the others a window, where the config does not list layers.
_MLX_PATTERNS: Final[Mapping[str, int]] = {"gemma3": 6, "gemma3_text": 6, "cohere2": 4, "exaone4": 4}
_GGUF_PATTERNS: Final[Mapping[str, int]] = {
    "gemma2": 2, "gemma3": 6, "gemma3n": 5, "cohere2": 4, "gpt_oss": 2, "exaone4": 4, "llama4": 4, "olmo2": 4,
}  # fmt: skip
_GGUF_RECURRENT_INTERVALS: Final[Mapping[str, int]] = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4}


def cache_layout(config: Mapping[str, Any]) -> CacheLayout | None:
    """The layout that mlx-lm uses for a model with this config.json; None when the config does not tell."""
    settings = text_settings(config)
    count = first_positive(settings, "num_hidden_layers", "n_layer", "n_layers", "num_layers")
    if count is None or count > LAYERS_MAX:
        return None
    architecture = normalised_architecture(as_text(settings.get("model_type")) or "")
    per_token = _values_per_token(settings, architecture)
    if per_token is None and architecture not in _ALL_RECURRENT:
        return None
    window = first_positive(settings, "sliding_window", "attention_window_size", "sliding_window_size", "window_size")
    if architecture.startswith("llama4"):
        window = first_positive(settings, "attention_chunk_size") or 8192
    state = _state_values(settings)
    kinds = _layer_kinds(settings, architecture, count)
    shared = first_positive(settings, "num_kv_shared_layers") or 0
    return CacheLayout(
        tuple(
            _layer(kind, per_token or 0, window, state, both=architecture in _BOTH)
            for kind in kinds[: max(len(kinds) - shared, 0)]
        )
    )


def gguf_cache_layout(header: GgufHeader) -> CacheLayout | None:
    """The layout that llama.cpp uses for this file; None when the header does not tell.

    Layers that see a window keep everything, too, as the runner asks llama.cpp for whole ones: what lies in a window only can
    neither be shared with others that begin alike nor be cut short. They may have keys and values of another width.
    """
    count = as_positive(header.setting("block_count"))
    width = as_positive(header.setting("embedding_length"))
    if count is None or width is None or count > LAYERS_MAX:
        return None
    architecture = normalised_architecture(header.architecture or "")
    heads = _per_layer(header.setting("attention.head_count"), count)
    groups = _per_layer(header.setting("attention.head_count_kv"), count, default=heads)
    state = _gguf_state_values(header)
    kinds = _gguf_layer_kinds(header, architecture, groups)
    latent = as_positive(header.setting("attention.kv_lora_rank"))
    layers: list[LayerCache] = []
    for index in range(count):
        if latent:
            per_token = latent + (as_positive(header.setting("rope.dimension_count")) or 0)
        else:
            per_token = groups[index] * _gguf_widths(header, kinds[index], width // heads[index] if heads[index] else 0)
        layers.append(_layer(kinds[index], per_token, None, state, both=architecture in _BOTH))
    return CacheLayout(tuple(layers))


def _gguf_widths(header: GgufHeader, kind: str, usual: int) -> int:
    """Of one key and one value together."""
    key = as_positive(header.setting("attention.key_length")) or usual
    value = as_positive(header.setting("attention.value_length")) or key
    if kind in _SLIDING:
        key = as_positive(header.setting("attention.key_length_swa")) or key
        value = as_positive(header.setting("attention.value_length_swa")) or value
    return key + value


def _layer(kind: str, per_token: int, window: int | None, state: int, *, both: bool) -> LayerCache:
    if kind in _NO_CACHE:
        return LayerCache()
    if kind in _FULL:
        return LayerCache(per_token, state_values=state if both else 0)
    if kind in _SLIDING:
        return LayerCache(per_token, window)
    return LayerCache(state_values=state)  # mamba, linear attention, convolution, or one that is not invented yet


def _values_per_token(settings: Mapping[str, Any], architecture: str) -> int | None:
    """Keys and values of one token in one attention layer."""
    hidden = first_positive(settings, "hidden_size", "n_embd", "d_model", "model_dim")
    heads = first_positive(settings, "num_attention_heads", "n_head", "num_heads", "n_heads")
    latent = first_positive(settings, "kv_lora_rank")
    if latent:
        rope = first_positive(settings, "qk_rope_head_dim") or 64
        if architecture in _MATERIALISED_LATENTS and heads:
            key = (first_positive(settings, "qk_nope_head_dim") or 128) + rope
            return heads * (key + (first_positive(settings, "v_head_dim") or 128))
        # deepseek_v32 also keeps a key a token for its indexer.
        return latent + rope + (first_positive(settings, "index_head_dim") or 0)
    if hidden is None or heads is None:
        return None
    width = first_positive(settings, "head_dim", "attention_head_dim", "kv_channels") or hidden // heads
    value_width = first_positive(settings, "v_head_dim") or width
    return _groups(settings, heads) * (width + value_width)


def _groups(settings: Mapping[str, Any], heads: int) -> int:
    """Key-value heads: fewer than heads with grouped queries, one with multi-query attention."""
    told = first_positive(
        settings, "num_key_value_heads", "num_kv_heads", "n_head_kv", "n_kv_heads", "multi_query_group_num"
    )
    if told:
        return told
    return 1 if settings.get("multi_query") is True else heads


def _layer_kinds(settings: Mapping[str, Any], architecture: str, count: int) -> Sequence[str]:
    """The kind of each layer, from whichever way the config tells it."""
    listed = [kind for item in as_list(settings.get("layer_types")) if (kind := as_text(item))]
    if len(listed) >= count:
        return listed[:count]
    if pattern := as_text(settings.get("hybrid_override_pattern")):
        return list(pattern[:count])
    if blocks := [kind for item in as_list(settings.get("block_types")) if (kind := as_text(item))]:
        # recurrent_gemma: its attention layers see a window only.
        return ["sliding" if blocks[i % len(blocks)] == "attention" else "recurrent" for i in range(count)]
    is_full = _full_layers(settings, architecture)
    if is_full is not None:
        other = "sliding" if architecture in _MLX_PATTERNS or architecture.startswith("llama4") else "recurrent"
        return ["full" if is_full(index) else other for index in range(count)]
    return ["recurrent" if architecture in _ALL_RECURRENT else "full"] * count


def _full_layers(settings: Mapping[str, Any], architecture: str) -> Callable[[int], bool] | None:
    """Which layers attend to everything, where a rule tells it."""
    if indices := settings.get("full_attn_idxs"):
        chosen = set(as_list(indices))
        return lambda index: index in chosen
    linear = as_mapping(settings.get("linear_attn_config"))
    if "full_attn_layers" in linear:  # counted from 1
        chosen = set(as_list(linear["full_attn_layers"]))
        return lambda index: index + 1 in chosen
    if period := first_positive(settings, "attn_layer_period"):
        offset = first_positive(settings, "attn_layer_offset") or 0
        return lambda index: index % period == offset
    interval = first_positive(settings, "full_attention_interval")
    if interval is None and architecture in _MLX_PATTERNS:
        interval = first_positive(settings, "sliding_window_pattern") or _MLX_PATTERNS[architecture]
    if interval is None and architecture.startswith("llama4"):
        interval = 4
    if interval is None:
        return None
    every = interval
    return lambda index: (index + 1) % every == 0


def _state_values(settings: Mapping[str, Any]) -> int:
    """The fixed state of one recurrent layer: its matrix and the last inputs of its convolution."""
    hidden = first_positive(settings, "hidden_size", "d_model", "n_embd") or 0
    kernel = (
        first_positive(settings, "linear_conv_kernel_dim", "mamba_d_conv", "conv_kernel", "conv_L_cache", "d_conv") or 4
    )
    if heads := first_positive(settings, "linear_num_value_heads"):  # gated delta nets
        key, value = (first_positive(settings, f"linear_{part}_head_dim") or 128 for part in ("key", "value"))
        keys = first_positive(settings, "linear_num_key_heads") or heads
        return heads * key * value + (kernel - 1) * (2 * keys * key + heads * value)
    state = first_positive(settings, "mamba_d_state", "ssm_state_size", "state_size", "d_state")
    if state is None:  # a convolution only (lfm2), or a gated unit: a few vectors
        return hidden * kernel
    heads = first_positive(settings, "mamba_n_heads", "mamba_num_heads", "n_mamba_heads")
    width = first_positive(settings, "mamba_d_head", "mamba_head_dim")
    inner = heads * width if heads and width else hidden * (first_positive(settings, "mamba_expand", "expand") or 2)
    return inner * state + inner * kernel


def _gguf_state_values(header: GgufHeader) -> int:
    inner = as_positive(header.setting("ssm.inner_size")) or 0
    state = as_positive(header.setting("ssm.state_size")) or 0
    kernel = as_positive(header.setting("ssm.conv_kernel")) or 0
    return inner * (state + kernel)


def _gguf_layer_kinds(header: GgufHeader, architecture: str, groups: Sequence[int]) -> Sequence[str]:
    if architecture in _ALL_RECURRENT:
        return ["recurrent"] * len(groups)
    if interval := _GGUF_RECURRENT_INTERVALS.get(architecture):
        return ["full" if (index + 1) % interval == 0 else "recurrent" for index in range(len(groups))]
    pattern = header.setting("attention.sliding_window_pattern")
    if isinstance(pattern, GgufArray) and pattern.values and len(pattern.values) == len(groups):
        kinds = ["sliding" if slides else "full" for slides in pattern.values]
    elif every := as_positive(pattern) or _GGUF_PATTERNS.get(architecture):
        kinds = ["full" if (index + 1) % every == 0 else "sliding" for index in range(len(groups))]
    else:
        kinds = ["full"] * len(groups)
    # A layer without key-value heads is a recurrent one (jamba, granite, nemotron).
    return [kind if count else "recurrent" for kind, count in zip(kinds, groups, strict=True)]


def _per_layer(value: object, count: int, *, default: Sequence[int] = ()) -> Sequence[int]:
    """A setting that is one number for all layers, or one a layer."""
    if isinstance(value, GgufArray) and value.values is not None and len(value.values) >= count:
        return [as_positive(item) or 0 for item in value.values[:count]]
    number = as_positive(value)
    if number is None:
        return default or [0] * count
    return [number] * count
