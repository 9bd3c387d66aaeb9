"""Small models of other kinds than `models.py` makes: random weights in mlx-lm's own shapes, so that nothing is downloaded.

They are there to take memory the way their large relatives do: pages or not, windows, experts, states that never grow.
"""

# MLX's and mlx-lm's stubs leave these untyped.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import json
import shutil
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.utils import _get_classes  # pyright: ignore[reportPrivateUsage]

from benchmarks.models import CACHE

_TOKENIZER_FILES: Final = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
_COMMON: Final[dict[str, Any]] = {
    "vocab_size": 4096,  # pony's
    "hidden_size": 512,
    "intermediate_size": 1408,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 64,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "eos_token_id": [2, 0],
}
_EXPERTS: Final = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 512, "norm_topk_prob": True}

SHAPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "llama": {"num_key_value_heads": 8},
    "gemma3_text": {
        "sliding_window": 256,
        "sliding_window_pattern": 4,
        "query_pre_attn_scalar": 64,
        "rope_local_base_freq": 10000.0,
    },
    "qwen3_moe": {**_EXPERTS, "decoder_sparse_step": 1, "mlp_only_layers": []},
    "mamba2": {
        "num_heads": 16,
        "head_dim": 64,
        "state_size": 64,
        "layer_norm_epsilon": 1e-5,
        "conv_kernel": 4,
        "n_groups": 1,
        "use_bias": False,
        "use_conv_bias": True,
        "time_step_limit": [0.001, 100.0],
        "time_step_rank": "auto",
    },
    "qwen3_next": {
        **_EXPERTS,
        "linear_num_value_heads": 8,
        "linear_num_key_heads": 4,
        "linear_key_head_dim": 64,
        "linear_value_head_dim": 64,
        "linear_conv_kernel_dim": 4,
        "decoder_sparse_step": 1,
        "shared_expert_intermediate_size": 512,
        "mlp_only_layers": [],
        "partial_rotary_factor": 0.5,
        "full_attention_interval": 4,
    },
}


def shape(kind: str, *, cache: Path = CACHE) -> Path:
    """The folder of the model, made when it is not there yet."""
    folder = cache / f"shape-{kind}"
    if folder.is_dir():
        return folder
    making = cache / f"shape-{kind}.making"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    config = {"model_type": kind, **_COMMON, **SHAPES[kind]}
    model_class, arguments = _get_classes(config)
    parameters = tree_flatten(model_class(arguments.from_dict(config)).parameters())
    mx.random.seed(37)
    weights = {key: _random(value).astype(mx.bfloat16) for key, value in parameters}
    mx.save_safetensors(str(making / "model.safetensors"), weights, metadata={"format": "mlx"})
    (making / "config.json").write_text(json.dumps(config, indent=2))
    with as_file(files("paddock") / "builtin_models" / "pony") as pony:
        for file in _TOKENIZER_FILES:
            shutil.copy(pony / file, making / file)
    making.rename(folder)  # a folder that is there is whole
    return folder


def _random(value: mx.array) -> mx.array:
    """Around what the model starts with: norms stay near one, matrices small."""
    if value.ndim < 2:
        return value + 0.01 * mx.random.normal(value.shape)
    return mx.random.normal(value.shape) / value.shape[-1] ** 0.5
