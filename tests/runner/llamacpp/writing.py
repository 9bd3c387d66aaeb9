"""GGUF files for tests: folders with .safetensors written as llama.cpp reads them, and small models with random weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

F32 = gguf.GGMLQuantizationType.F32
Q8_0 = gguf.GGMLQuantizationType.Q8_0
Q4_0 = gguf.GGMLQuantizationType.Q4_0

_FILE_TYPES = {
    F32: gguf.LlamaFileType.ALL_F32,
    Q8_0: gguf.LlamaFileType.MOSTLY_Q8_0,
    Q4_0: gguf.LlamaFileType.MOSTLY_Q4_0,
}
_TENSORS = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_OUTSIDE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}

_BERT = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
}
_BERT_LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}

Tensors = Mapping[str, np.ndarray]


def as_gguf(folder: Path, path: Path, kind: gguf.GGMLQuantizationType = F32, **more: Any) -> Path:
    """The model in `folder` as one file. `more`: `split_tensors_max`, how many tensors a part has at most."""
    config = json.loads((folder / "config.json").read_text())
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    template = folder / "chat_template.jinja"
    return write(
        path, config, tensors_of(folder), tokenizer, kind, template.read_text() if template.exists() else None, **more
    )


def random_model(
    path: Path,
    architecture: str,
    kind: gguf.GGMLQuantizationType,
    *,
    tokenizer: Path,
    template: str | None = None,
    layers: int = 2,
    split_tensors_max: int = 0,
    **claims: Any,
) -> Path:
    """A small model with pony's vocabulary and weights drawn at random: llama, qwen2, qwen2vl; gemma2, gemma3 and cohere2,
    of which some layers see a window only.

    `claims`: what its header says otherwise.
    """
    config: dict[str, Any] = {
        "model_type": architecture,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "max_position_embeddings": 1024,
        "vocab_size": 4096,
        "eos_token_id": 2,
    }
    random = np.random.default_rng(1)

    def drawn(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) * (shape[-1] ** -0.5)).astype(np.float32)

    tensors = {"model.embed_tokens.weight": drawn(4096, 64), "model.norm.weight": np.ones(64, np.float32)}
    for layer in range(layers):
        at = f"model.layers.{layer}"
        tensors |= {
            f"{at}.{norm}.weight": np.ones(64, np.float32) for norm in ("input_layernorm", "post_attention_layernorm")
        }
        widths = {"self_attn.q_proj": 64, "self_attn.k_proj": 32, "self_attn.v_proj": 32, "self_attn.o_proj": 64}
        tensors |= {f"{at}.{name}.weight": drawn(width, 64) for name, width in widths.items()}
        if architecture in ("qwen2", "qwen2vl"):
            tensors |= {
                f"{at}.self_attn.{each}_proj.bias": drawn(width)
                for each, width in zip("qkv", (64, 32, 32), strict=True)
            }
        tensors |= {f"{at}.mlp.{name}_proj.weight": drawn(96, 64) for name in ("gate", "up")}
        if architecture == "cohere2":  # one norm for both halves of a layer
            del tensors[f"{at}.post_attention_layernorm.weight"]
        if architecture in ("gemma2", "gemma3"):
            norms = {"post_attention_norm": 64, "post_ffw_norm": 64}
            norms |= {"attn_q_norm": 16, "attn_k_norm": 16} if architecture == "gemma3" else {}
            tensors |= {f"blk.{layer}.{name}.weight": np.ones(width, np.float32) for name, width in norms.items()}
        tensors[f"{at}.mlp.down_proj.weight"] = drawn(64, 96)
    words = json.loads((tokenizer / "tokenizer.json").read_text())
    return write(path, config | claims, tensors, words, kind, template, split_tensors_max=split_tensors_max)


def embedder_as_gguf(folder: Path, path: Path) -> Path:
    """A BERT that pools by the mean, in float32."""
    config = json.loads((folder / "config.json").read_text())
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name(path.stem)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    tokens = {number: token for token, number in tokenizer["model"]["vocab"].items()}
    special = {each["content"] for each in tokenizer["added_tokens"]}
    ordered = [tokens[number] for number in range(len(tokens))]
    # llama.cpp marks the beginnings of words, WordPiece what goes on with one.
    spelled = [each if each in special else each[2:] if each.startswith("##") else "\u2581" + each for each in ordered]
    writer.add_tokenizer_model("bert")
    writer.add_token_list(spelled)
    kinds = (gguf.TokenType.NORMAL, gguf.TokenType.CONTROL)
    writer.add_token_types([kinds[each in special] for each in ordered])
    writer.add_token_type_count(config["type_vocab_size"])
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_bos_token_id(2)  # which llama.cpp puts in front of a text, whatever its name
    writer.add_uint32("tokenizer.ggml.seperator_token_id", 3)
    writer.add_mask_token_id(4)
    for name, values in tensors_of(folder).items():
        renamed = _BERT.get(name) or _bert_layer(name)
        if renamed is not None:
            writer.add_tensor(renamed, np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write(
    path: Path,
    config: Mapping[str, Any],
    tensors: Tensors,
    tokenizer: Mapping[str, Any],
    kind: gguf.GGMLQuantizationType,
    template: str | None,
    *,
    split_tensors_max: int = 0,
) -> Path:
    writer = gguf.GGUFWriter(path, config["model_type"], split_max_tensors=split_tensors_max)
    writer.add_name(path.stem)
    writer.add_file_type(_FILE_TYPES[kind])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    if config["model_type"] == "cohere2":
        writer.add_logit_scale(1.0)
        writer.add_layer_norm_eps(config["rms_norm_eps"])
    if config.get("sliding_window"):
        writer.add_sliding_window(config["sliding_window"])
    if "rope_sections" in config:
        writer.add_rope_dimension_sections(config["rope_sections"])
    _add_vocabulary(writer, tokenizer)
    if template is not None:
        writer.add_chat_template(template)
    for name, values in tensors.items():
        renamed, values = _renamed(name), np.ascontiguousarray(values)
        if config["model_type"] == "llama" and (".q_proj." in name or ".k_proj." in name):
            heads = config["num_attention_heads" if ".q_proj." in name else "num_key_value_heads"]
            values = _interleaved(values, heads)
        if values.ndim == 1 or kind is F32:
            writer.add_tensor(renamed, values)
        else:
            writer.add_tensor(renamed, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tensors_of(folder: Path) -> dict[str, np.ndarray]:
    """All weights of a folder, in float32."""
    data = (folder / "model.safetensors").read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    found: dict[str, np.ndarray] = {}
    for name, tensor in json.loads(data[8:begin]).items():
        if name == "__metadata__":
            continue
        first, last = tensor["data_offsets"]
        raw = data[begin + first : begin + last]
        if tensor["dtype"] == "BF16":
            values = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(raw, {"F32": np.float32, "F16": np.float16}[tensor["dtype"]]).astype(np.float32)
        found[name] = values.reshape(tensor["shape"])
    return found


def _add_vocabulary(writer: gguf.GGUFWriter, tokenizer: Mapping[str, Any]) -> None:
    added = {each["content"]: each["id"] for each in tokenizer["added_tokens"]}
    special = {each["content"] for each in tokenizer["added_tokens"] if each["special"]}
    tokens = {number: token for token, number in (tokenizer["model"]["vocab"] | added).items()}
    ordered = [tokens[number] for number in range(len(tokens))]

    def kind(token: str) -> gguf.TokenType:
        if token in special:
            return gguf.TokenType.CONTROL
        return gguf.TokenType.USER_DEFINED if token in added else gguf.TokenType.NORMAL

    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("starcoder")
    writer.add_token_list(ordered)
    writer.add_token_types([kind(token) for token in ordered])
    writer.add_token_merges(
        [" ".join(pair) if isinstance(pair, list) else pair for pair in tokenizer["model"]["merges"]]
    )
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)


def _renamed(name: str) -> str:
    if name.startswith("blk."):
        return name
    stem, _, end = name.rpartition(".")
    if stem in _OUTSIDE:
        return f"{_OUTSIDE[stem]}.{end}"
    _, _, layer, rest = stem.split(".", 3)
    return f"blk.{layer}.{_TENSORS[rest]}.{end}"


def _interleaved(values: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp turns neighbouring values of a llama's heads, where others turn the two halves."""
    rows = values.shape[0]
    return values.reshape(heads, 2, rows // heads // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def _bert_layer(name: str) -> str | None:
    if not name.startswith("encoder.layer."):
        return None  # a head that embeddings do not need
    stem, _, end = name.rpartition(".")
    _, _, layer, rest = stem.split(".", 3)
    return f"blk.{layer}.{_BERT_LAYER[rest]}.{end}"
