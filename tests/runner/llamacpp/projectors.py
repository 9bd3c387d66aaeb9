"""Projectors for tests: files beside a GGUF model that turn pictures into what stands in place of tokens. Drawn at random."""

from pathlib import Path
from typing import Final

import gguf
import numpy as np

SIDE: Final = 28  # pixels of a picture as the tower takes it
PATCH: Final = 7
PLACES: Final = (SIDE // PATCH) ** 2

_WIDTH, _INNER, _HEADS, _LAYERS = 32, 48, 2, 2
_MEAN, _STD = [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]


def llava_projector(path: Path, *, hidden: int = 64, seed: int = 5) -> Path:
    """A CLIP of two layers and a perceptron: a picture is `PLACES` places, whatever its size."""
    random = np.random.default_rng(seed)
    writer = _writer(path, "mlp", hidden)
    tensors = {
        "v.class_embd": _drawn(random, _WIDTH),
        "v.patch_embd.weight": _drawn(random, _WIDTH, 3, PATCH, PATCH),
        "v.position_embd.weight": _drawn(random, PLACES + 1, _WIDTH),
        "v.pre_ln.weight": np.ones(_WIDTH, np.float32),
        "v.pre_ln.bias": np.zeros(_WIDTH, np.float32),
        "mm.0.weight": _drawn(random, hidden, _WIDTH),
        "mm.0.bias": _drawn(random, hidden),
        "mm.2.weight": _drawn(random, hidden, hidden),
        "mm.2.bias": _drawn(random, hidden),
    }
    for layer in range(_LAYERS):
        tensors |= _layer(random, f"v.blk.{layer}")
    return _finished(writer, tensors, path)


def qwen_projector(path: Path, *, hidden: int = 64, seed: int = 6) -> Path:
    """As Qwen2-VL has it: a picture takes more places the larger it is, and its places stand along three axes."""
    random = np.random.default_rng(seed)
    writer = _writer(path, "qwen2vl_merger", hidden)
    writer.add_bool("clip.use_silu", False)
    merged = _WIDTH * 4
    tensors = {
        "v.patch_embd.weight": _drawn(random, _WIDTH, 3, PATCH, PATCH),
        "v.patch_embd.weight.1": _drawn(random, _WIDTH, 3, PATCH, PATCH),
        "v.post_ln.weight": np.ones(_WIDTH, np.float32),
        "v.post_ln.bias": np.zeros(_WIDTH, np.float32),
        "mm.0.weight": _drawn(random, merged, merged),
        "mm.0.bias": _drawn(random, merged),
        "mm.2.weight": _drawn(random, hidden, merged),
        "mm.2.bias": _drawn(random, hidden),
    }
    for layer in range(_LAYERS):
        tensors |= _layer(random, f"v.blk.{layer}")
    return _finished(writer, tensors, path)


def gemma_projector(path: Path, *, hidden: int = 64, seed: int = 7) -> Path:
    """As Gemma 3 has it: every picture has as many places, and each of them sees the others."""
    random = np.random.default_rng(seed)
    writer = _writer(path, "gemma3", hidden)
    writer.add_vision_projector_scale_factor(1)
    tensors = {
        "v.patch_embd.weight": _drawn(random, _WIDTH, 3, PATCH, PATCH),
        "v.patch_embd.bias": _drawn(random, _WIDTH),
        "v.position_embd.weight": _drawn(random, PLACES, _WIDTH),
        "v.post_ln.weight": np.ones(_WIDTH, np.float32),
        "v.post_ln.bias": np.zeros(_WIDTH, np.float32),
        "mm.input_projection.weight": _drawn(random, _WIDTH, hidden),
        "mm.soft_emb_norm.weight": np.full(_WIDTH, 8.0, np.float32),  # as loud as words are in such models
    }
    for layer in range(_LAYERS):
        tensors |= _layer(random, f"v.blk.{layer}")
    return _finished(writer, tensors, path)


def _writer(path: Path, kind: str, hidden: int) -> gguf.GGUFWriter:
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_name(path.stem)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type(kind)
    writer.add_vision_image_size(SIDE)
    writer.add_vision_patch_size(PATCH)
    writer.add_vision_embedding_length(_WIDTH)
    writer.add_vision_feed_forward_length(_INNER)
    writer.add_vision_block_count(_LAYERS)
    writer.add_vision_head_count(_HEADS)
    writer.add_vision_projection_dim(hidden)
    writer.add_vision_attention_layernorm_eps(1e-5)
    writer.add_vision_image_mean(_MEAN)
    writer.add_vision_image_std(_STD)
    writer.add_vision_use_gelu(True)
    return writer


def _layer(random: np.random.Generator, at: str) -> dict[str, np.ndarray]:
    tensors: dict[str, np.ndarray] = {}
    for norm in ("ln1", "ln2"):
        tensors |= {
            f"{at}.{norm}.weight": np.ones(_WIDTH, np.float32),
            f"{at}.{norm}.bias": np.zeros(_WIDTH, np.float32),
        }
    for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
        tensors |= {f"{at}.{name}.weight": _drawn(random, _WIDTH, _WIDTH), f"{at}.{name}.bias": _drawn(random, _WIDTH)}
    for name, out, within in (("ffn_up", _INNER, _WIDTH), ("ffn_down", _WIDTH, _INNER)):
        tensors |= {f"{at}.{name}.weight": _drawn(random, out, within), f"{at}.{name}.bias": _drawn(random, out)}
    return tensors


def _drawn(random: np.random.Generator, *shape: int) -> np.ndarray:
    return (random.standard_normal(shape) * (shape[-1] ** -0.5)).astype(np.float32)


def _finished(writer: gguf.GGUFWriter, tensors: dict[str, np.ndarray], path: Path) -> Path:
    for name, values in tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
