"""A model of `models` as one GGUF file: the same random weights and the same vocabulary, for llama.cpp.

Quantized to 8 bits, which is what people run there; products of float32 are not what llama.cpp is fast with.
"""

import json
from pathlib import Path
from typing import Any, Final

import gguf
import numpy
from safetensors.numpy import load_file

_ARCHITECTURE: Final = "qwen3"
_TENSORS: Final = {
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


def as_gguf(model: Path) -> Path:
    """The file, made beside the folder `model` when it is not there yet."""
    path = model.with_name(f"{model.name}-q8_0.gguf")
    if path.exists():
        return path
    making = path.with_suffix(".making")
    writer = gguf.GGUFWriter(making, _ARCHITECTURE)
    _add_shape(writer, json.loads((model / "config.json").read_text()))
    _add_vocabulary(writer, json.loads((model / "tokenizer.json").read_text()))
    writer.add_chat_template((model / "chat_template.jinja").read_text())
    for name, values in load_file(model / "model.safetensors").items():
        _add_tensor(writer, _renamed(name), values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    making.rename(path)
    return path


def _add_shape(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    writer.add_name("bench")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])


def _add_vocabulary(writer: gguf.GGUFWriter, tokenizer: dict[str, Any]) -> None:
    added = {each["content"]: each["id"] for each in tokenizer["added_tokens"]}
    special = {each["content"] for each in tokenizer["added_tokens"] if each["special"]}
    tokens = {number: token for token, number in (tokenizer["model"]["vocab"] | added).items()}

    def kind(token: str) -> gguf.TokenType:
        if token in special:
            return gguf.TokenType.CONTROL
        return gguf.TokenType.USER_DEFINED if token in added else gguf.TokenType.NORMAL

    ordered = [tokens[number] for number in range(len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(ordered)
    writer.add_token_types([kind(token) for token in ordered])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)


def _renamed(name: str) -> str:
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{_TENSORS[rest.removesuffix('.weight')]}.weight"


def _add_tensor(writer: gguf.GGUFWriter, name: str, values: numpy.ndarray) -> None:
    if values.ndim == 1:
        writer.add_tensor(name, values)
        return
    kind = gguf.GGMLQuantizationType.Q8_0
    writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
