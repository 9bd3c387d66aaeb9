"""Llamas of any shape with random weights: for tests that count bytes and steps, not words."""

import json
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.models.llama import Model, ModelArgs

VOCABULARY = 256


def make_llama(folder: Path, *, context: int, layers: int, kv_heads: int, head_size: int) -> Path:
    """Write such a model to disk. It has as many heads as KV heads."""
    config = {
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": layers,
        "num_attention_heads": kv_heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_size,
        "rms_norm_eps": 1e-5,
        "max_position_embeddings": context,
        "tie_word_embeddings": True,
    }
    mx.random.seed(3)
    model = Model(ModelArgs.from_dict(config))
    folder.mkdir(parents=True)
    mx.save_safetensors(str(folder / "model.safetensors"), dict(tree_flatten(model.parameters())), {"format": "mlx"})
    (folder / "config.json").write_text(json.dumps({**config, "eos_token_id": 1}))
    return folder
