"""What the tensors themselves tell: how many parameters, in which type, and whether a picture tower is there."""

from collections.abc import Mapping
from typing import Any, Final

from paddock.catalog.clues import Clues
from paddock.catalog.headers import GgufHeader, SafetensorsSummary, SafetensorsTensor
from paddock.catalog.traits import traits
from paddock.catalog.values import as_mapping, as_positive

_FLOATS: Final = {
    "BF16": "bf16", "F16": "f16", "F32": "f32", "F64": "f64",
    "F8_E4M3": "fp8", "F8_E5M2": "fp8", "F4": "fp4",
}  # fmt: skip
_GROUP_SIZE_DEFAULT: Final = 64
_QUANTIZED_PARTS: Final = (
    ".scales",
    ".biases",
    ".qzeros",
    ".g_idx",
    ".weight_scale",
    ".weight_scale_inv",
    ".weight_scale_2",
    ".input_scale",
)


def clues_of_safetensors(summary: SafetensorsSummary, config: Mapping[str, Any]) -> Clues:
    """Counts and types from headers. Says nothing of pictures unless every shard's header was read."""
    if not summary.tensors:
        return Clues()
    return Clues(
        parameters=count_parameters(summary, config) if summary.complete else None,
        quantization=None if _is_quantized(summary) else _main_dtype(summary),
        # Text-only conversions keep a multimodal config; the weights know better.
        vision=False if summary.complete and not has_vision_tensors(summary.tensors) else None,
    )


def has_vision_tensors(tensors: Mapping[str, object]) -> bool:
    """True when any tensor belongs to a picture tower or its projector."""
    marks = traits().vision_tensors
    return any(mark in name or name.startswith(mark) for name in tensors for mark in marks)


def count_parameters(summary: SafetensorsSummary, config: Mapping[str, Any]) -> int:
    """Values of the model, with packed ones counted as what they stand for."""
    return sum(_values(name, tensor, summary.tensors, config) for name, tensor in summary.tensors.items())


def _values(
    name: str, tensor: SafetensorsTensor, tensors: Mapping[str, SafetensorsTensor], config: Mapping[str, Any]
) -> int:
    if name.endswith(_QUANTIZED_PARTS):
        return 0
    stem = name.removesuffix(".weight")
    if tensor.dtype == "U32" and f"{stem}.scales" in tensors:
        # Each scale stands for one group of values, whatever the bits.
        return tensors[f"{stem}.scales"].elements * group_size(config, stem)
    if tensor.dtype == "I32" and name.endswith((".qweight", ".weight_packed")):
        return tensor.elements * 8  # AWQ and GPTQ: eight 4-bit values a word
    if tensor.dtype == "U8" and f"{name}_scale" in tensors:
        return tensor.elements * 2  # two 4-bit floats a byte
    return tensor.elements


def group_size(config: Mapping[str, Any], stem: str) -> int:
    """How many values share a scale in the layer `stem`; single layers may differ from the rest."""
    settings = as_mapping(config.get("quantization") or config.get("quantization_config"))
    own = as_mapping(settings.get(stem))
    return as_positive(own.get("group_size")) or as_positive(settings.get("group_size")) or _GROUP_SIZE_DEFAULT


def _is_quantized(summary: SafetensorsSummary) -> bool:
    return any(name.endswith((".scales", ".qweight", ".weight_packed")) for name in summary.tensors)


def _main_dtype(summary: SafetensorsSummary) -> str | None:
    floats = {dtype: size for dtype, size in summary.bytes_by_dtype.items() if dtype in _FLOATS}
    return _FLOATS[max(floats, key=lambda dtype: floats[dtype])] if floats else None


def count_gguf_parameters(header: GgufHeader) -> int | None:
    """Values in the file; None for one part of a split, which does not hold the whole model."""
    if header.split and header.split.count > 1:
        return None
    return sum(tensor.elements for tensor in header.tensors.values()) or None
