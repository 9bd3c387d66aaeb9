"""How many parameters a model has, counted from the shapes that its config.json tells: for when no header is there."""

from collections.abc import Mapping
from typing import Any, Final

from paddock.catalog.evidence.config import text_settings
from paddock.catalog.traits import normalised_architecture
from paddock.catalog.values import as_mapping, as_text, first_positive

# Two matrices in the feed-forward part; everyone else has a gate as third.
_UNGATED: Final = frozenset({
    "bert", "roberta", "xlm_roberta", "gpt2", "gpt_neox", "gpt_bigcode", "gptj", "starcoder2", "phi", "falcon",
    "clip_vision_model", "siglip_vision_model", "mpt", "nemotron",
})  # fmt: skip


def estimate_parameters(config: Mapping[str, Any]) -> int | None:
    """Embeddings, attention, feed-forward parts with their experts, and a picture tower; None when sizes are missing.

    Norms and biases are left out: less than one part in a thousand.
    """
    settings = text_settings(config)
    layers = first_positive(settings, "num_hidden_layers", "n_layer", "n_layers", "num_layers")
    hidden = first_positive(settings, "hidden_size", "n_embd", "d_model")
    if layers is None or hidden is None:
        return None
    vocabulary = first_positive(settings, "vocab_size") or 0
    architecture = normalised_architecture(as_text(settings.get("model_type")) or "")
    tied = settings.get("tie_word_embeddings", config.get("tie_word_embeddings", architecture.startswith("gemma")))
    encoder = "bert" in architecture or "roberta" in architecture
    embeddings = vocabulary * hidden * (1 if tied or encoder else 2)
    if encoder:
        embeddings += (first_positive(settings, "max_position_embeddings") or 0) * hidden
    dense, sparse = _layer_split(settings, layers)
    attention = _attention(settings, hidden)
    body = (
        layers * attention + dense * _feed_forward(settings, hidden, architecture) + sparse * _experts(settings, hidden)
    )
    return embeddings + body + _tower(as_mapping(config.get("vision_config")))


def _attention(settings: Mapping[str, Any], hidden: int) -> int:
    heads = first_positive(settings, "num_attention_heads", "n_head", "num_heads", "n_heads") or 1
    width = first_positive(settings, "head_dim", "kv_channels") or hidden // heads
    if latent := first_positive(settings, "kv_lora_rank"):
        rope = first_positive(settings, "qk_rope_head_dim") or 64
        nope = first_positive(settings, "qk_nope_head_dim") or 128
        value = first_positive(settings, "v_head_dim") or 128
        rank = first_positive(settings, "q_lora_rank")
        queries = heads * (nope + rope)
        asked = hidden * rank + rank * queries if rank else hidden * queries
        return asked + hidden * (latent + rope) + latent * heads * (nope + value) + heads * value * hidden
    groups = first_positive(settings, "num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num") or (
        1 if settings.get("multi_query") is True else heads
    )
    return hidden * width * (2 * heads + 2 * groups)


def _layer_split(settings: Mapping[str, Any], layers: int) -> tuple[int, int]:
    """(dense layers, layers of experts)."""
    if not _expert_count(settings):
        return layers, 0
    dense = first_positive(settings, "first_k_dense_replace", "num_dense_layers") or 0
    step = first_positive(settings, "decoder_sparse_step", "moe_layer_freq", "interleave_moe_layer_step") or 1
    sparse = (layers - min(dense, layers)) // step
    return layers - sparse, sparse


def _expert_count(settings: Mapping[str, Any]) -> int:
    count = first_positive(settings, "num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts") or 0
    return count if count > 1 else 0


def _feed_forward(settings: Mapping[str, Any], hidden: int, architecture: str) -> int:
    inner = first_positive(
        settings, "intermediate_size_mlp", "intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size"
    )
    return hidden * (inner or 4 * hidden) * (2 if architecture in _UNGATED else 3)


def _experts(settings: Mapping[str, Any], hidden: int) -> int:
    count = _expert_count(settings)
    inner = first_positive(settings, "moe_intermediate_size", "intermediate_size") or 4 * hidden
    shared = first_positive(settings, "n_shared_experts", "num_shared_experts") or 0
    own = first_positive(settings, "shared_expert_intermediate_size") or shared * inner
    return 3 * hidden * (count * inner + own) + hidden * count


def _tower(vision: Mapping[str, Any]) -> int:
    hidden = first_positive(vision, "hidden_size", "embed_dim", "width") or 0
    layers = first_positive(vision, "num_hidden_layers", "depth", "layers") or 0
    inner = first_positive(vision, "intermediate_size") or 4 * hidden
    gate = 2 if normalised_architecture(as_text(vision.get("model_type")) or "") in _UNGATED else 3
    patch = first_positive(vision, "patch_size") or 0
    return layers * (4 * hidden * hidden + gate * hidden * inner) + 3 * patch * patch * hidden
