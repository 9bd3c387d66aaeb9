"""Models to measure with: random weights in the shape of a small Qwen3, made here, so that nothing is downloaded.

Float32, which is what a CPU multiplies fastest. Speed does not depend on what weights say; where an answer ends does, so the
rows of the end tokens are zero: they never win, and every answer runs to its limit.
"""

import hashlib
import json
import os
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

import numpy
from safetensors.numpy import save_file

CACHE: Final = Path(__file__).parents[1] / ".cache" / "benchmarks"
SHAPE_37M: Final[dict[str, int]] = {
    "hidden_size": 512,
    "num_hidden_layers": 11,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 64,
    "intermediate_size": 1536,
}
# Beside llama.cpp's own server: what is asked of llama.cpp is the same, so what differs is what a step costs around it. On
# real models, which are larger than this one, that is still less of it.
SHAPE_150M: Final[dict[str, int]] = {
    "hidden_size": 1024,
    "num_hidden_layers": 12,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "intermediate_size": 3072,
}
# For long prompts: reading thousands of tokens with 37 M parameters takes a CPU minutes. What is compared is who waits for
# whom, and how much of the work is padding; with one layer it would be who starts a step sooner.
SHAPE_NARROW: Final[dict[str, int]] = {
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 64,
    "intermediate_size": 384,
}
SHAPE_TINY: Final[dict[str, int]] = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "intermediate_size": 96,
}
SHAPES: Final = {"37m": SHAPE_37M, "150m": SHAPE_150M, "narrow": SHAPE_NARROW, "tiny": SHAPE_TINY}
CONTEXT: Final = 32768
_VOCABULARY: Final = 4096  # pony's
_END_TOKENS: Final = (0, 1, 2)  # and the one that begins a message
_SCALE: Final = 0.02
_COMMIT: Final = f"{37:040x}"
_TOKENIZER_FILES: Final = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


def qwen3(shape: str = "37m", *, cache: Path = CACHE) -> Path:
    """The folder of the model of that shape, made when it is not there yet."""
    name = f"qwen3-{shape}-32k"
    folder = cache / name
    if folder.is_dir():
        return folder
    making = cache / f"{name}.making"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    (making / "config.json").write_text(json.dumps(_config(SHAPES[shape]), indent=2))
    save_file(_weights(SHAPES[shape]), making / "model.safetensors", metadata={"format": "mlx"})
    for file in _TOKENIZER_FILES:
        shutil.copy(pony(cache=cache) / file, making / file)
    making.rename(folder)  # a folder that is there is whole
    return folder


def pony(*, cache: Path = CACHE) -> Path:
    """The model that comes with Paddock, in a folder of its own."""
    folder = cache / "pony"
    if not folder.is_dir():
        making = cache / "pony.making"
        shutil.rmtree(making, ignore_errors=True)
        with as_file(files("paddock") / "builtin_models" / "pony") as built_in:
            shutil.copytree(built_in, making)
        making.rename(folder)
    return folder


def hub_cache(model: Path) -> tuple[Path, str]:
    """A Hugging Face home in which `model` (a folder or one weight file) is found under a name; both are returned.

    That is how a server that knows models by name gets one without a download. Files are linked, not copied.
    """
    name = f"bench/{model.name.removesuffix('.gguf')}{'-gguf' if model.suffix == '.gguf' else ''}"
    home = model.parent / "hub-home"
    repository = home / "hub" / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / _COMMIT
    wanted = [model] if model.is_file() else sorted(model.iterdir())
    if all((snapshot / file.name).exists() and (snapshot / file.name).samefile(file) for file in wanted):
        return home, name
    shutil.rmtree(repository, ignore_errors=True)
    for folder in (snapshot, repository / "refs", repository / "blobs"):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text(_COMMIT)
    for file in wanted:
        with file.open("rb") as data:
            blob = repository / "blobs" / hashlib.file_digest(data, "sha256").hexdigest()
        if not blob.exists():
            os.link(file, blob)
        (snapshot / file.name).symlink_to(f"../../blobs/{blob.name}")
    return home, name


def _config(shape: dict[str, int]) -> dict[str, Any]:
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        **shape,
        "vocab_size": _VOCABULARY,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "rope_scaling": None,
        "tie_word_embeddings": True,
        "attention_bias": False,
        "eos_token_id": [2, 0],
        "torch_dtype": "float32",
    }


def _weights(shape: dict[str, int]) -> dict[str, numpy.ndarray]:
    hidden, head, inner = shape["hidden_size"], shape["head_dim"], shape["intermediate_size"]
    queries, keys = shape["num_attention_heads"] * head, shape["num_key_value_heads"] * head
    random = numpy.random.default_rng(37)

    def product(rows: int, columns: int) -> numpy.ndarray:
        return random.standard_normal((rows, columns), dtype=numpy.float32) * numpy.float32(_SCALE)

    def norm(size: int) -> numpy.ndarray:
        return numpy.ones(size, dtype=numpy.float32)

    embeddings = product(_VOCABULARY, hidden)
    embeddings[list(_END_TOKENS)] = 0
    weights = {"model.embed_tokens.weight": embeddings, "model.norm.weight": norm(hidden)}
    for layer in range(shape["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        weights |= {
            f"{at}.input_layernorm.weight": norm(hidden),
            f"{at}.post_attention_layernorm.weight": norm(hidden),
            f"{at}.self_attn.q_proj.weight": product(queries, hidden),
            f"{at}.self_attn.k_proj.weight": product(keys, hidden),
            f"{at}.self_attn.v_proj.weight": product(keys, hidden),
            f"{at}.self_attn.o_proj.weight": product(hidden, queries),
            f"{at}.self_attn.q_norm.weight": norm(head),
            f"{at}.self_attn.k_norm.weight": norm(head),
            f"{at}.mlp.gate_proj.weight": product(inner, hidden),
            f"{at}.mlp.up_proj.weight": product(inner, hidden),
            f"{at}.mlp.down_proj.weight": product(hidden, inner),
        }
    return weights
