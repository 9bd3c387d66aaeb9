"""How much memory a model takes before it is loaded.

    peak(context) = weights + process + cache(context) + work(context)

    weights    what the loader makes of the stored ones: as stored on Metal and for GGUF; on CUDA bf16 and on CPU
               float32 when that fits into the budget, because there it is several times faster
    process    the runner itself: interpreter, libraries, device context, before any weight
    cache      keys and values, compressed or windowed where the model does so, and recurrent states (float32)
    work       activations of one prefill chunk, its attention scores, the logits; for pictures, those of the tower

A measured value replaces weights + process: it is what the same model took after loading on this machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from paddock.catalog.cache_layout import CacheLayout, LayerCache, cache_layout, gguf_cache_layout
from paddock.catalog.evidence.config import text_settings
from paddock.catalog.evidence.weights import count_parameters
from paddock.catalog.facts import Facts
from paddock.catalog.headers import GgufHeader, SafetensorsSummary
from paddock.catalog.parameters import estimate_parameters
from paddock.catalog.values import as_mapping, as_positive, first_positive
from paddock.vocabulary import ModelFormat

PROCESS_BYTES: Final = 160 * 1024 * 1024  # Python with MLX and a tokenizer, resident, no weights
CUDA_CONTEXT_BYTES: Final = 512 * 1024 * 1024
PREFILL_TOKENS: Final = 512  # the engine reads a long prompt in chunks of this many
SCORES_BYTES_MAX: Final = 256 * 1024 * 1024  # where attention is not fused, scores are made in tiles up to this size
STATE_VALUE_BYTES: Final = 4
FIRST_CONTEXT: Final = 4096
WORKING_CONTEXT: Final = 8192

# Bits of one value, scales included: MLX keeps a 16-bit scale and bias for each group of 64.
_MLX_SCALE_BITS: Final = 32 / 64
_GGUF_BITS: Final[Mapping[str, float]] = {
    "F32": 32, "F16": 16, "BF16": 16, "Q8_0": 8.5, "Q6_K": 6.56, "Q5_K_M": 5.69, "Q5_K_S": 5.54, "Q5_0": 5.54,
    "Q5_1": 6.0, "Q4_K_M": 4.85, "Q4_K_S": 4.58, "Q4_0": 4.6, "Q4_1": 5.0, "Q3_K_L": 4.27, "Q3_K_M": 3.91,
    "Q3_K_S": 3.5, "Q2_K": 3.35, "Q2_K_S": 3.16, "IQ4_XS": 4.3, "IQ4_NL": 4.5, "IQ3_M": 3.7, "IQ3_S": 3.5,
    "IQ3_XS": 3.3, "IQ3_XXS": 3.06, "IQ2_M": 2.7, "IQ2_S": 2.5, "IQ2_XS": 2.31, "IQ2_XXS": 2.06, "IQ1_M": 1.75,
    "IQ1_S": 1.56, "MXFP4": 4.25, "NVFP4": 4.5, "TQ1_0": 1.69, "TQ2_0": 2.06,
}  # fmt: skip
_FLOAT_BITS: Final[Mapping[str, float]] = {
    "bf16": 16,
    "f16": 16,
    "f32": 32,
    "fp8": 8,
    "mxfp4": 4.25,
    "mxfp8": 8.25,
    "nvfp4": 4.5,
    "fp4": 4.5,
}


class Device(StrEnum):
    METAL = "metal"
    CUDA = "cuda"
    CPU = "cpu"

    @property
    def compute_bytes(self) -> int | None:
        """Bytes a value once loaded; None where weights stay as stored."""
        return {Device.METAL: None, Device.CUDA: 2, Device.CPU: 4}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """A prediction in bytes. `basis` tells what it rests on: measured, headers, config or name."""

    weights_bytes: int
    stored_bytes: int  # what the weight files hold
    process_bytes: int
    kv_value_bytes: int
    cache: CacheLayout
    context_window: int
    basis: str
    work_bytes_per_token: int = 0  # of a prefill chunk
    scores_bytes_per_pair: int = 0  # for each pair of a chunk's token and a token it looks at
    fixed_work_bytes: int = 0

    @property
    def kv_bytes_per_token(self) -> int:
        """What one more token adds while no window is full."""
        return self.cache.values_per_token * self.kv_value_bytes

    def kv_bytes(self, context: int) -> int:
        """Cache for one conversation of `context` tokens, recurrent states included."""
        return self.cache.values(context) * self.kv_value_bytes + self.cache.state_values * STATE_VALUE_BYTES

    def peak_bytes(self, context: int) -> int:
        """The most that is held while one conversation grows to `context` tokens."""
        chunk = min(context, PREFILL_TOKENS)
        scores = min(chunk * context * self.scores_bytes_per_pair, SCORES_BYTES_MAX)
        work = chunk * self.work_bytes_per_token + scores + self.fixed_work_bytes
        return self.weights_bytes + self.process_bytes + self.kv_bytes(context) + work

    @property
    def contexts(self) -> tuple[int, int, int]:
        """The contexts that a plan shows: 4k, the working one, the model's maximum; none above the maximum."""
        most = self.context_window
        return min(FIRST_CONTEXT, most), min(WORKING_CONTEXT, most), most


def estimate_memory(
    *,
    facts: Facts,
    device: Device,
    config: Mapping[str, Any] | None = None,
    safetensors: SafetensorsSummary | None = None,
    gguf: GgufHeader | None = None,
    stored_bytes: int | None = None,
    budget_bytes: int | None = None,
    measured_bytes: int | None = None,
) -> MemoryEstimate | None:
    """Predict from the best there is; None when neither headers, sizes, config nor name tell anything.

    `stored_bytes`: the size of the weight files as listed (all parts of a split). `budget_bytes`: what the device may
    use; weights that would not fit in the faster type stay as stored. `measured_bytes`: memory of the same model after
    an earlier load here, before its first prompt.
    """
    config = config or {}
    stored, parameters, basis = _stored(facts, config, safetensors, gguf, stored_bytes)
    if stored is None:
        if measured_bytes is None:
            return None
        stored = measured_bytes
    as_stored = facts.format is ModelFormat.GGUF or device is Device.METAL
    weights = stored if as_stored or not parameters else _loaded(stored, parameters, device, budget_bytes)
    process = PROCESS_BYTES + (CUDA_CONTEXT_BYTES if device is Device.CUDA else 0)
    if measured_bytes is not None:
        weights, process, basis = measured_bytes, 0, "measured"
    value_bytes = 4 if device is Device.CPU and facts.format is not ModelFormat.GGUF else 2
    shape = _shape(config, gguf)
    fused = as_stored or device is Device.CUDA
    return MemoryEstimate(
        weights_bytes=weights,
        stored_bytes=stored,
        process_bytes=process,
        kv_value_bytes=value_bytes,
        cache=_cache(facts, config, gguf),
        context_window=facts.context_window,
        basis=basis,
        work_bytes_per_token=value_bytes * (6 * shape.hidden + 3 * shape.inner),
        scores_bytes_per_pair=0 if fused else 4 * shape.heads,
        fixed_work_bytes=8 * shape.vocabulary + _tower_bytes(config, value_bytes),
    )


def bits_per_value(quantization: str | None, format_: ModelFormat) -> float:
    """Bits that one parameter takes in a file, its share of scales included. Unknown counts as 16."""
    if quantization is None:
        return 16
    if format_ is ModelFormat.GGUF or quantization.upper() in _GGUF_BITS:
        return _GGUF_BITS.get(quantization.upper(), 16)
    if quantization in _FLOAT_BITS:
        return _FLOAT_BITS[quantization]
    digits = quantization.removesuffix("bit").rsplit("-", 1)[-1]
    if quantization.endswith("bit") and digits.isdecimal() and 1 <= int(digits) <= 16:
        return int(digits) + _MLX_SCALE_BITS
    return 4 + _MLX_SCALE_BITS if quantization in ("awq", "gptq", "bnb", "bitsandbytes") else 16


def _stored(
    facts: Facts,
    config: Mapping[str, Any],
    safetensors: SafetensorsSummary | None,
    gguf: GgufHeader | None,
    listed: int | None,
) -> tuple[int | None, int | None, str]:
    """(bytes in the files, parameters, basis)."""
    if safetensors is not None and safetensors.complete and safetensors.tensors:
        return safetensors.data_bytes, count_parameters(safetensors, config), "headers"
    if gguf is not None and not (gguf.split and gguf.split.count > 1):
        # llama.cpp maps whole files, and a projector for pictures beside the model is listed but not in its header.
        return max(gguf.data_bytes, listed or 0), facts.parameters, "headers"
    parameters = facts.parameters if facts.origins.get("parameters") in ("measured", "files", "hub") else None
    counted = parameters or estimate_parameters(config)
    if listed:
        return listed, counted or facts.parameters, "headers"
    bits = bits_per_value(facts.quantization, facts.format)
    if counted:
        return int(counted * bits / 8), counted, "config"
    if facts.parameters:
        return int(facts.parameters * bits / 8), facts.parameters, "name"
    return None, None, "name"


def _loaded(stored: int, parameters: int, device: Device, budget: int | None) -> int:
    """Weights in the type that the device is fast with, when they fit; else as stored."""
    faster = parameters * (device.compute_bytes or 0)
    return stored if budget is not None and faster > budget else faster


def _cache(facts: Facts, config: Mapping[str, Any], gguf: GgufHeader | None) -> CacheLayout:
    if facts.model_type == "embeddings":
        return CacheLayout()
    layout = gguf_cache_layout(gguf) if gguf is not None else cache_layout(config)
    return layout or _typical_cache(facts)


def _typical_cache(facts: Facts) -> CacheLayout:
    """A guess from the parameter count alone, on the high side of what grouped-query models of that size have."""
    billions = (facts.parameters or 10**9) / 10**9
    layers = max(1, min(round(20 * max(billions, 0.05) ** 0.3), 128))
    return CacheLayout((LayerCache(2 * 8 * 128),) * layers)


@dataclass(frozen=True, slots=True)
class _Shape:
    hidden: int = 0
    inner: int = 0
    heads: int = 0
    vocabulary: int = 0


def _shape(config: Mapping[str, Any], gguf: GgufHeader | None) -> _Shape:
    if gguf is not None:
        return _Shape(
            as_positive(gguf.setting("embedding_length")) or 0,
            as_positive(gguf.setting("feed_forward_length")) or 0,
            as_positive(gguf.setting("attention.head_count")) or 0,
            as_positive(gguf.setting("vocab_size")) or 0,
        )
    settings = text_settings(config)
    chosen = first_positive(settings, "num_experts_per_tok") or 1
    expert = first_positive(settings, "moe_intermediate_size") or 0
    return _Shape(
        first_positive(settings, "hidden_size", "n_embd", "d_model") or 0,
        max(first_positive(settings, "intermediate_size", "n_inner") or 0, chosen * expert),
        first_positive(settings, "num_attention_heads", "n_head") or 0,
        first_positive(settings, "vocab_size") or 0,
    )


def _tower_bytes(config: Mapping[str, Any], value_bytes: int) -> int:
    """Work for one picture: its patches through one layer of the tower, and their scores."""
    vision = as_mapping(config.get("vision_config"))
    hidden = first_positive(vision, "hidden_size", "embed_dim", "width")
    if hidden is None:
        return 0
    side = (first_positive(vision, "image_size") or 1024) // (first_positive(vision, "patch_size") or 14)
    patches = min(side, 160) ** 2
    heads = first_positive(vision, "num_attention_heads", "num_heads") or 1
    scores = min(heads * patches * patches * value_bytes, SCORES_BYTES_MAX)
    return patches * hidden * 8 * value_bytes + scores
