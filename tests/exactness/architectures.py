"""Real mlx-lm architectures made tiny: a config each, random weights that make up their minds."""

import json
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.utils import _get_classes  # pyright: ignore[reportPrivateUsage]

from paddock.runner.mlx.loading import Weights, load_weights

VOCABULARY = 320
CONTEXT = 512

_COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "max_position_embeddings": CONTEXT,
    "tie_word_embeddings": False,
}
_EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 48, "norm_topk_prob": True}

CONFIGS: dict[str, dict[str, object]] = {
    "llama": {},
    "llama3_rope": {
        "model_type": "llama",
        "tie_word_embeddings": True,
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    },
    "llama_sliding": {
        "model_type": "llama",
        "num_hidden_layers": 4,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "sliding_window": 24,
    },
    "qwen2": {"tie_word_embeddings": True},
    "qwen3": {},
    "qwen3_moe": {**_EXPERTS, "num_experts": 8, "decoder_sparse_step": 1, "mlp_only_layers": [0]},
    "mistral": {"num_key_value_heads": 1},
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "gemma2": {
        "query_pre_attn_scalar": 16.0,
        "attn_logit_softcapping": 50.0,
        "final_logit_softcapping": 30.0,
        "tie_word_embeddings": True,
    },
    "gemma3_text": {
        "num_hidden_layers": 4,
        "sliding_window": 20,
        "sliding_window_pattern": 2,
        "query_pre_attn_scalar": 16.0,
        "rope_local_base_freq": 10000.0,
    },
    "phi3": {"original_max_position_embeddings": CONTEXT, "partial_rotary_factor": 1.0},
    "deepseek_v3": {
        **_EXPERTS,
        "num_key_value_heads": 4,
        "kv_lora_rank": 32,
        "q_lora_rank": 48,
        "qk_rope_head_dim": 8,
        "qk_nope_head_dim": 16,
        "v_head_dim": 16,
        "n_shared_experts": 1,
        "n_routed_experts": 8,
        "n_group": 2,
        "topk_group": 1,
        "first_k_dense_replace": 1,
    },
    "gpt_oss": {"num_hidden_layers": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 16},
    "mamba2": {
        "num_heads": 8,
        "head_dim": 16,
        "state_size": 16,
        "layer_norm_epsilon": 1e-5,
        "conv_kernel": 4,
        "n_groups": 1,
        "use_bias": False,
        "use_conv_bias": True,
        "time_step_limit": [0.001, 100.0],
        "time_step_rank": "auto",
        "tie_word_embeddings": True,
    },
    "qwen3_next": {
        **_EXPERTS,
        "num_hidden_layers": 4,
        "linear_num_value_heads": 4,
        "linear_num_key_heads": 2,
        "linear_key_head_dim": 16,
        "linear_value_head_dim": 16,
        "linear_conv_kernel_dim": 4,
        "num_experts": 4,
        "decoder_sparse_step": 1,
        "shared_expert_intermediate_size": 48,
        "mlp_only_layers": [],
        "partial_rotary_factor": 0.5,
        "full_attention_interval": 2,
    },
}


def make_folder(name: str, folder: Path) -> Path:
    """Write the architecture `name` to disk as a model that anybody may load. The same weights each time."""
    config = {"model_type": name, **_COMMON, **CONFIGS[name]}
    model_class, arguments = _get_classes(config)
    model = model_class(arguments.from_dict(config))
    mx.random.seed(len(name) * 1000 + 7)
    gain = _WEAK_EMBEDDING if name == "gemma2" else _STRONG_HEAD
    weights = {key: _random(key, value, gain) for key, value in tree_flatten(model.parameters())}
    folder.mkdir(parents=True)
    mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})
    (folder / "config.json").write_text(json.dumps({**config, "eos_token_id": 1}))
    return folder


_STRONG_HEAD = 4.0
_WEAK_EMBEDDING = 0.4  # gemma2 multiplies its embeddings by 8 and uses them as the head: strong ones echo the prompt


def _random(key: str, value: mx.array, gain: float) -> mx.array:
    """Small around what the model starts with; matrices wide enough that the likeliest token stands out."""
    if value.ndim < 2 or "A_log" in key or "dt_bias" in key:
        return value + 0.05 * mx.random.normal(value.shape)
    gain = gain if "lm_head" in key or "embed_tokens" in key or "embeddings" in key else 1.5
    return gain * mx.random.normal(value.shape) / value.shape[-1] ** 0.5


def load(folder: Path) -> Weights:
    return load_weights(folder, folder.name)
