"""Whether a model will run here, judged before a byte of its weights moves.

high     the maker says it is for MLX, or it is a GGUF of an architecture that llama.cpp has
medium   its name says so and its files are complete, or all that can be told is that it is a GGUF
low      its files are complete and the architecture is known; nobody promised that it works
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as resources
from typing import Any

from paddock.catalog.formats import is_pickle
from paddock.catalog.traits import normalised_architecture, traits
from paddock.vocabulary import Compatibility, Confidence, ModelFormat, Verdict

_TOKENIZERS = frozenset(
    {"tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "merges.txt", "tekken.json"}
)
_MLX_TAGS = frozenset({"mlx", "apple-mlx", "library:mlx"})


@dataclass(frozen=True, slots=True)
class Supported:
    """The architectures that each runner can load."""

    mlx: frozenset[str]
    llama_cpp: frozenset[str]
    quantization_methods: frozenset[str]


@cache
def supported() -> Supported:
    told: dict[str, Any] = json.loads(
        resources("paddock.catalog").joinpath("data/architectures.json").read_text("utf-8")
    )
    return Supported(
        frozenset(told["mlx_lm"]) | frozenset(told["mlx_vlm"]) | frozenset(told["mlx_embeddings"]),
        frozenset(told["llama_cpp"]),
        frozenset(told["quantization_methods"]),
    )


def judge(
    *,
    name: str,
    files: Sequence[str] | None,
    format: ModelFormat,  # noqa: A002 (the field's name everywhere)
    tags: Sequence[str] = (),
    architecture: str | None = None,
    remote_code: bool = False,
    quantization_method: str | None = None,
    gated: bool = False,
    online: bool = True,
) -> Compatibility:
    """Judge one model. `files` is None when nobody could list them; then only the name is left to go by.

    `remote_code`: its config.json asks to run Python of its own (`is_remote_code`). `gated`: its files are behind terms
    that were not accepted yet, so that config.json could not be read. Never raises.
    """
    if files is None:
        return _by_name(name, tags, online=online)
    match format:
        case ModelFormat.MLX:
            return _judge_mlx(
                name, files, tags, architecture, remote_code=remote_code, method=quantization_method, gated=gated
            )
        case ModelFormat.GGUF:
            return _judge_gguf(architecture)
        case ModelFormat.ONNX if normalised_architecture(architecture or "") in traits().embedding_architectures:
            return Compatibility(verdict=Verdict.COMPATIBLE, confidence=Confidence.MEDIUM)
        case ModelFormat.UNKNOWN:
            return _incompatible(*_unknown_format(files))
        case other:
            return _incompatible(
                f"It runs in {other.framework}, not here: Paddock keeps and lists it, and runs MLX and GGUF models."
            )


def _by_name(name: str, tags: Sequence[str], *, online: bool) -> Compatibility:
    """No list of files: the hub is unreachable, or a search told only tags."""
    lower = name.strip().lower()
    if lower.startswith("mlx-community/"):
        return Compatibility(verdict=Verdict.COMPATIBLE, confidence=Confidence.MEDIUM)
    if _tagged_mlx(tags) or "gguf" in {tag.lower() for tag in tags}:
        return Compatibility(verdict=Verdict.COMPATIBLE, confidence=Confidence.MEDIUM)
    why = "its files could not be listed" if online else "the hub cannot be reached and nothing is known of its files"
    return Compatibility(verdict=Verdict.UNKNOWN, reasons=(f"Nothing can be said: {why}.",))


def _judge_mlx(
    name: str,
    files: Sequence[str],
    tags: Sequence[str],
    architecture: str | None,
    *,
    remote_code: bool,
    method: str | None,
    gated: bool,
) -> Compatibility:
    reasons = [*_missing(files), *_unsupported(architecture, remote_code=remote_code)]
    if method and method.lower() not in supported().quantization_methods:
        reasons.append(
            f"Its weights are quantized by `{method}`, which MLX cannot read; look for an MLX or GGUF version."
        )
    if reasons:
        return _incompatible(*reasons)
    if _tagged_mlx(tags):
        return Compatibility(verdict=Verdict.COMPATIBLE, confidence=Confidence.HIGH)
    if architecture is None:
        why = (
            "its terms were not accepted yet, so its config.json cannot be read"
            if gated
            else "its config.json names no model_type"
        )
        return Compatibility(verdict=Verdict.UNKNOWN, reasons=(f"The architecture is not known: {why}.",))
    confidence = Confidence.MEDIUM if "mlx" in name.lower() else Confidence.LOW
    return Compatibility(verdict=Verdict.COMPATIBLE, confidence=confidence)


def _missing(files: Sequence[str]) -> list[str]:
    """What a model for MLX must have beside it and has not."""
    names = {path.rsplit("/", 1)[-1].lower() for path in files}
    reasons: list[str] = []
    if "config.json" not in names:
        reasons.append("It has no config.json.")
    if not any(name.endswith(".safetensors") for name in names):
        reasons.append(_no_weights(files))
    if names.isdisjoint(_TOKENIZERS) and not any(name.endswith(".tiktoken") for name in names):
        reasons.append("It has no tokenizer (tokenizer.json, tokenizer.model, vocab.json …).")
    return reasons


def _no_weights(files: Sequence[str]) -> str:
    pickles = [path for path in files if is_pickle(path)]
    if pickles:
        return f"Its weights are pickles (`{pickles[0]}`), which run code when loaded; .safetensors and .gguf do not."
    return "It has no .safetensors weights."


def _unsupported(architecture: str | None, *, remote_code: bool) -> list[str]:
    if architecture is None or normalised_architecture(architecture) in supported().mlx:
        return []
    reasons = [f"Its architecture `{architecture}` is not one that MLX can load."]
    if remote_code:
        reasons.append("It asks to run Python code of its own (`auto_map`), and nothing from a model runs here.")
    return reasons


def _judge_gguf(architecture: str | None) -> Compatibility:
    if architecture is None:
        return Compatibility(verdict=Verdict.COMPATIBLE, confidence=Confidence.MEDIUM)
    if architecture.lower() in supported().llama_cpp:
        return Compatibility(verdict=Verdict.COMPATIBLE, confidence=Confidence.HIGH)
    return _incompatible(f"Its architecture `{architecture}` is not one that llama.cpp can load.")


def _unknown_format(files: Sequence[str]) -> list[str]:
    if any(is_pickle(path) for path in files):
        return [_no_weights(files)]
    return ["It holds no weights in a format that Paddock knows.", *_missing(files)]


def _tagged_mlx(tags: Sequence[str]) -> bool:
    return not _MLX_TAGS.isdisjoint(tag.lower() for tag in tags)


def _incompatible(*reasons: str) -> Compatibility:
    return Compatibility(verdict=Verdict.INCOMPATIBLE, reasons=reasons)
