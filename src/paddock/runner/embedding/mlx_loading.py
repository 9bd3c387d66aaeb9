"""Weights of an embedding model into memory, for mlx-embeddings' layers."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import mlx.core as mx
import mlx.nn as nn  # pyright: ignore[reportMissingTypeStubs]

from paddock.errors import Corrupt
from paddock.runner.embedding.mlx_arrays import evaluate, unpack_quantized, weights_of
from paddock.runner.embedding.mlx_heads import Arrays, head_weights
from paddock.runner.embedding.mlx_library import model_module
from paddock.runner.mlx.folder import ModelFolder
from paddock.runner.mlx.layout import Layout, choose_layout

_HINT: Final = "Pull the model again: `paddock pull`."
_PREFIXES: Final = {"bert": "bert.", "xlm_roberta": "roberta.", "roberta": "roberta.", "camembert": "roberta."}
_UNUSED: Final = ("pooler.", "lm_head.", "cls.", "classifier.")  # of towers: what follows them is ours


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingWeights:
    model: Any  # an mlx-embeddings Model
    head: Arrays  # of a reranker's classifier
    architecture: str
    hidden: int
    bytes: int


def load_embedding_weights(folder: ModelFolder, limit_bytes: int, *, scores: bool) -> EmbeddingWeights:
    """Raises Incompatible, Corrupt, NotEnoughMemory."""
    architecture = folder.architecture.replace("-", "_")
    module = model_module(architecture, folder.name)
    layout = choose_layout(folder, limit_bytes)
    if layout is Layout.BFLOAT16 and not folder.quantized:
        layout = Layout.AS_STORED  # nothing is gained by rounding; vectors are compared to five digits
    weights = _read(folder)
    try:
        prefix = _PREFIXES.get(architecture, "")
        weights = {key.removeprefix(prefix): value for key, value in weights.items()}
        head: Arrays = head_weights(architecture, weights, folder.name) if scores else {}
        model = _build(module, folder, architecture, weights, scores=scores)
        if layout.dtype is not None:
            _cast(model, layout.dtype)
            if folder.quantized:
                unpack_quantized(model)
                _cast(model, layout.dtype)
        for _, weight in weights_of(model):
            evaluate(weight)
        evaluate(*head.values())
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError, ArithmeticError) as error:
        text = " ".join(str(error).split())[:300] or type(error).__name__
        raise Corrupt(
            f"The weights of `{folder.name}` do not fit its config.json: {text.replace(str(folder.path), folder.name)}",
            hint=_HINT,
        ) from error
    return EmbeddingWeights(
        model=model,
        head=head,
        architecture=architecture,
        hidden=int(folder.config["hidden_size"]),
        bytes=sum(int(each.nbytes) for each in (*(weight for _, weight in weights_of(model)), *head.values())),
    )


def _read(folder: ModelFolder) -> dict[str, mx.array]:
    """Every weight by its name, still on disk. Those of dense layers have folders of their own."""
    weights: dict[str, mx.array] = {}
    try:
        for file in sorted(folder.path.glob("model*.safetensors")):
            weights.update(_load(file))
        for file in sorted(folder.path.glob("[0-9]*_Dense/model.safetensors")):
            weights.update({f"{file.parent.name}.{key}": value for key, value in _load(file).items()})
    except (RuntimeError, ValueError, OSError) as error:
        raise Corrupt(f"The weights of `{folder.name}` cannot be read.", hint=_HINT) from error
    return weights


def _load(file: Path) -> dict[str, mx.array]:
    return cast("dict[str, mx.array]", mx.load(str(file)))


def _build(module: Any, folder: ModelFolder, architecture: str, weights: dict[str, mx.array], *, scores: bool) -> Any:
    """The model with its weights."""
    model = module.Model(module.ModelArgs.from_dict(_settings(folder.config, architecture, scores=scores)))
    if "pooler" in model:
        model.pop("pooler")  # a layer that many files lack, and that vectors do not go through
    if architecture != "modernbert":
        weights = {key: value for key, value in weights.items() if not key.startswith(_UNUSED)}
    if architecture == "gemma3_text" and not any("dense" in key.lower() for key in weights):
        model.dense = []
    weights = model.sanitize(weights)
    quantization = folder.config.get("quantization")
    if isinstance(quantization, dict):
        _quantize(model, cast("Mapping[str, Any]", quantization), weights)
    model.load_weights(list(weights.items()))
    model.eval()
    return model


def _settings(config: Mapping[str, Any], architecture: str, *, scores: bool) -> dict[str, Any]:
    """The config in the words that the library reads."""
    settings = dict(config)
    rope = config.get("rope_parameters")  # where newer files have what `rope_theta` was
    if isinstance(rope, dict):
        told = cast("dict[str, Any]", rope)
        settings.setdefault("rope_theta", told.get("rope_theta", 10_000.0))
    scaling = config.get("rope_scaling")
    if architecture == "qwen3" and isinstance(scaling, dict):
        kind = cast("dict[str, Any]", scaling).get("rope_type", cast("dict[str, Any]", scaling).get("type"))
        if kind not in (None, "default"):
            raise ValueError(f"rope_scaling of type {kind} is not known here")
    if architecture == "modernbert":
        settings["architectures"] = ["ModernBertForSequenceClassification" if scores else "ModernBertModel"]
        if scores:
            settings["is_regression"] = True  # one logit, left as it is
    return settings


def _quantize(model: Any, quantization: Mapping[str, Any], weights: Mapping[str, mx.array]) -> None:
    def is_packed(path: str, layer: Any) -> bool:
        return hasattr(layer, "to_quantized") and f"{path}.scales" in weights

    cast("Any", nn.quantize)(
        model,
        group_size=quantization["group_size"],
        bits=quantization["bits"],
        mode=quantization.get("mode", "affine"),
        class_predicate=is_packed,
    )


def _cast(model: Any, dtype: mx.Dtype) -> None:
    model.load_weights(
        [
            (key, value.astype(dtype) if mx.issubdtype(value.dtype, mx.floating) else value)
            for key, value in weights_of(model)
        ]
    )
