"""Small models in the shapes that hubs keep them in: real headers, a few kilobytes of weights."""

import json
from collections.abc import Mapping

from tests.catalog.building import gguf_array, gguf_bytes, gguf_key, gguf_tensor, safetensors_bytes
from tests.fakes.content import Generated

QWEN3 = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_size": 128,
    "head_dim": 64,
    "intermediate_size": 256,
    "max_position_embeddings": 32768,
    "num_attention_heads": 2,
    "num_hidden_layers": 3,
    "num_key_value_heads": 1,
    "vocab_size": 4096,
    "torch_dtype": "bfloat16",
}

Files = dict[str, bytes]


def small_files(**config: object) -> Files:
    """What lies beside the weights."""
    return {
        "config.json": json.dumps({**QWEN3, **config}).encode(),
        "tokenizer.json": b'{"version": "1.0"}',
        "tokenizer_config.json": b'{"model_max_length": 32768}',
        "README.md": b"# A model\n",
    }


def weights(name: str = "model.embed_tokens.weight", *, kib: int = 8, seed: int = 0) -> bytes:
    """A safetensors file with one tensor of `kib` KiB, its bytes made from `seed`."""
    size = kib * 1024
    header = {name: {"dtype": "BF16", "shape": [size // 256, 128], "data_offsets": [0, size]}}
    return safetensors_bytes(header, Generated(size, seed).read())


def mlx(*, kib: int = 8, seed: int = 0, **config: object) -> Files:
    """An MLX folder: one file of weights, config and tokenizer."""
    return {**small_files(**config), "model.safetensors": weights(kib=kib, seed=seed)}


def sharded(*, shards: int = 3, kib: int = 8) -> Files:
    """The same in several files, with the index that says which tensor is where."""
    files = small_files()
    where: dict[str, str] = {}
    for number in range(1, shards + 1):
        name, path = f"model.layers.{number}.weight", f"model-{number:05}-of-{shards:05}.safetensors"
        files[path] = weights(name, kib=kib, seed=number)
        where[name] = path
    index = {"metadata": {"total_size": shards * kib * 1024}, "weight_map": where}
    return {**files, "model.safetensors.index.json": json.dumps(index).encode()}


def gguf(*, kib: int = 8, seed: int = 0, architecture: str = "llama") -> bytes:
    """A GGUF file with a header that can be read and `kib` KiB of one tensor."""
    size = kib * 1024
    keys = [
        gguf_key("general.architecture", 8, architecture),
        gguf_key(f"{architecture}.context_length", 4, 32768),
        gguf_key(f"{architecture}.embedding_length", 4, 64),
        gguf_key(f"{architecture}.block_count", 4, 2),
        gguf_key(f"{architecture}.attention.head_count", 4, 2),
        gguf_key("tokenizer.ggml.tokens", 9, gguf_array(8, ["<s>", "a", "b"])),
    ]
    head = gguf_bytes(keys, [gguf_tensor("token_embd.weight", (64, size // 256))], data_bytes=0)
    return head + Generated(size, seed).read()


def quantizations(*names: str, projector: bool = False, kib: int = 8) -> Files:
    """A repository with one model in several quantizations, as most GGUF repositories are."""
    files = {f"Tiny-{name}.gguf": gguf(kib=kib, seed=number) for number, name in enumerate(names)}
    if projector:
        files["mmproj-F16.gguf"] = gguf(kib=4, seed=99, architecture="clip")
    return {**files, "README.md": b"# Quantizations\n"}


def coreml() -> Files:
    """A Core ML package: a folder that is one model."""
    package = "Tiny.mlpackage"
    return {
        f"{package}/Manifest.json": b'{"fileFormatVersion": "1.0.0"}',
        f"{package}/Data/com.apple.CoreML/model.mlmodel": bytes(2048),
        f"{package}/Data/com.apple.CoreML/weights/weight.bin": Generated(8192).read(),
        "README.md": b"# Core ML\n",
    }


def onnx() -> Files:
    """An ONNX export with its data beside it, and a second precision that a pull leaves out."""
    return {
        **small_files(),
        "onnx/model.onnx": Generated(4096, 1).read(),
        "onnx/model.onnx_data": Generated(8192, 2).read(),
        "onnx/model_fp16.onnx": Generated(4096, 3).read(),
    }


def total(files: Mapping[str, bytes]) -> int:
    return sum(len(content) for content in files.values())
