"""How much memory a model takes before it is loaded.

    peak(context, streams) = weights + process + cache(context, streams) + work(context, streams)

    weights    what the loader makes of the stored ones: as stored on Metal and for GGUF; on CUDA bf16 and on CPU
               float32 when that fits into the budget, because there it is several times faster
    process    the runner itself: interpreter, libraries, tokenizer, device context, before any weight
    cache      cache_layout.py says what is kept of a token; on pages it is kept of every token in every layer, in whole
               slabs of 2 MB; elsewhere a sequence at a time, in steps of 256 tokens; recurrent states in float32
    work       one step of the engine: working_memory.py

What loads here really took corrects process and work: correcting.py.
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
from paddock.catalog.traits import normalised_architecture
from paddock.catalog.values import as_mapping, as_positive, as_text, first_positive
from paddock.catalog.working_memory import CORE_PRODUCTS_PER_S, MIB, WorkShape
from paddock.vocabulary import ModelFormat

PROCESS_BYTES: Final = 93 * MIB  # Python with MLX, resident, no weights and a tokenizer of a few words
TOKENIZER_WORD_BYTES: Final = 700  # for each word of its vocabulary
SIGHT_BYTES: Final = 46 * MIB  # the libraries that a model sees with, measured with `pony-vision` beside `pony`
FEATURE_BYTES_MAX: Final = 256 * MIB  # of pictures, kept by a runner
CUDA_CONTEXT_BYTES: Final = 512 * MIB
TOWER_SCORES_BYTES_MAX: Final = 256 * MIB
RUNNER_WORK_BYTES: Final = 64 * MIB  # what the runner keeps free of its limit
STATE_VALUE_BYTES: Final = 4
FIRST_CONTEXT: Final = 4096
WORKING_CONTEXT: Final = 8192
CORES: Final = 4  # of a machine that nobody has looked at

# As `paddock.runner.mlx`: which architectures run on pages, and how large those are.
PAGED: Final = frozenset(
    {"llama", "mistral", "qwen2", "qwen3", "qwen3_moe", "mixtral", "phi3", "gemma3", "gemma3_text", "gpt_oss"}
    | {"idefics3", "llava", "mistral3", "pixtral", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe", "smolvlm"}
)
# On a CPU in float32 they run without MLX.
HOST: Final = frozenset(
    {"llama", "mistral", "qwen2", "qwen3"}
    | {"idefics3", "llava", "pixtral", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "smolvlm"}
)
SLAB_BYTES: Final = 2 * MIB
BLOCK_TOKENS: Final = 32
_SOLO_STEP_TOKENS: Final = 256
SOLO_TURNS: Final = 4  # a step that holds somebody up is so many times shorter

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
    paged: bool = False
    work: WorkShape
    products_per_s: float | None = None  # that the device does; None is more than any step needs
    work_factor: float = 1.0

    @property
    def kv_bytes_per_token(self) -> int:
        """What one more token adds while no window is full."""
        return self.cache.values_per_token * self.kv_value_bytes

    def kv_bytes(self, context: int, streams: int = 1) -> int:
        """Cache for so many conversations of `context` tokens each, recurrent states included."""
        return self._paged_bytes(context, streams) if self.paged else self._solo_bytes(context, streams)

    def work_bytes(self, context: int, tokens: int) -> int:
        """Of steps among conversations of at most `context` tokens, `tokens` together."""
        return int(self.work_factor * self.formula_work_bytes(context, tokens))

    def formula_work_bytes(self, context: int, tokens: int) -> int:
        """The same before anything was measured: without a factor."""
        speed = self.products_per_s
        if not self.paged and tokens > context:  # one conversation a step, and briefly: the others wait
            tokens, speed = context, speed and speed / SOLO_TURNS
        return self.work.bytes(context, tokens, speed)

    def peak_bytes(self, context: int, streams: int = 1) -> int:
        """The most that is held while so many conversations grow to `context` tokens each."""
        work = self.work_bytes(context, context * streams)
        return self.weights_bytes + self.process_bytes + self.kv_bytes(context, streams) + work

    def runner_bytes_max(self, context: int, streams: int = 1) -> int:
        """The limit to give a runner so that its cache holds so many conversations and no more."""
        return self.weights_bytes + RUNNER_WORK_BYTES + self.kv_bytes(context, streams)

    @property
    def contexts(self) -> tuple[int, int, int]:
        """The contexts that a plan shows: 4k, the working one, the model's maximum; none above the maximum."""
        most = self.context_window
        return min(FIRST_CONTEXT, most), min(WORKING_CONTEXT, most), most

    def _paged_bytes(self, context: int, streams: int) -> int:
        """A slab is made whole for keys, and one for values, in every layer, when its first block is written."""
        widest = max((layer.values_per_token for layer in self.cache.layers), default=0)
        if widest == 0 or context == 0:
            return 0
        block_bytes = widest // 2 * self.kv_value_bytes * BLOCK_TOKENS
        slab_blocks = max(1, SLAB_BYTES // max(block_bytes, 1))
        blocks = _round_up(context, BLOCK_TOKENS) // BLOCK_TOKENS * streams
        return self.kv_bytes_per_token * _round_up(blocks, slab_blocks) * BLOCK_TOKENS

    def _solo_bytes(self, context: int, streams: int) -> int:
        values = self.cache.values(_round_up(context, _SOLO_STEP_TOKENS))
        return streams * (values * self.kv_value_bytes + self.cache.state_values * STATE_VALUE_BYTES)


def estimate_memory(
    *,
    facts: Facts,
    device: Device,
    config: Mapping[str, Any] | None = None,
    safetensors: SafetensorsSummary | None = None,
    gguf: GgufHeader | None = None,
    stored_bytes: int | None = None,
    budget_bytes: int | None = None,
    cores: int = CORES,
) -> MemoryEstimate | None:
    """Predict from the best there is; None when neither headers, sizes, config nor name tell anything.

    `stored_bytes`: the size of the weight files as listed (all parts of a split). `budget_bytes`: what the device may
    use; weights that would not fit in the faster type stay as stored. `cores`: of the processor, where that is the device.
    """
    config = config or {}
    stored, parameters, basis = _stored(facts, config, safetensors, gguf, stored_bytes)
    if stored is None:
        return None
    is_gguf = facts.format is ModelFormat.GGUF
    as_stored = is_gguf or device is Device.METAL or not parameters
    weights = stored if as_stored or not parameters else _loaded(stored, parameters, device, budget_bytes)
    # Weights that stay as they are stay in their own type, two bytes wide nearly always.
    wide = device is Device.CPU and not is_gguf and (not parameters or weights >= parameters * 4)
    value_bytes = 4 if wide else 2
    shape = _shape(config, gguf)
    cache = _cache(facts, config, gguf)
    on_cpu = device is Device.CPU
    architecture = normalised_architecture(as_text(config.get("model_type")) or "")
    return MemoryEstimate(
        weights_bytes=weights,
        stored_bytes=stored,
        process_bytes=_process_bytes(device, shape.vocabulary) + _sight_bytes(facts, device),
        kv_value_bytes=value_bytes,
        cache=cache,
        context_window=facts.context_window,
        basis=basis,
        paged=not is_gguf and architecture in PAGED,
        work=WorkShape(
            value_bytes=value_bytes,
            hidden=shape.hidden,
            inner=shape.inner,
            heads=shape.heads,
            layers=len(cache.layers),
            vocabulary=shape.vocabulary,
            layer_values=max((layer.values_per_token for layer in cache.layers), default=0),
            state_values=max((layer.state_values for layer in cache.layers), default=0),
            parameters=int((parameters or facts.parameters or 0) * shape.active_share),
            fused=is_gguf or not on_cpu,
            keeps=on_cpu and not is_gguf,
            host=wide and architecture in HOST,
            fixed_bytes=_tower_bytes(config, value_bytes) + _feature_bytes(facts, shape.hidden, value_bytes),
        ),
        products_per_s=cores * CORE_PRODUCTS_PER_S if on_cpu else None,
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
    active_share: float = 1.0  # of the parameters that one token meets


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
    experts = first_positive(settings, "num_experts", "num_local_experts", "n_routed_experts") or chosen
    return _Shape(
        first_positive(settings, "hidden_size", "n_embd", "d_model") or 0,
        max(first_positive(settings, "intermediate_size", "n_inner") or 0, chosen * expert),
        first_positive(settings, "num_attention_heads", "n_head") or 0,
        first_positive(settings, "vocab_size") or 0,
        min(chosen / experts, 1.0),
    )


def _process_bytes(device: Device, vocabulary: int) -> int:
    """On CUDA what counts is the device's memory, and the process is not in it."""
    if device is Device.CUDA:
        return CUDA_CONTEXT_BYTES
    return PROCESS_BYTES + TOKENIZER_WORD_BYTES * vocabulary


def _sight_bytes(facts: Facts, device: Device) -> int:
    """Of the process of a model that sees with Python's libraries."""
    mlx = facts.model_type == "vision" and facts.format is not ModelFormat.GGUF
    return SIGHT_BYTES if mlx and device is not Device.CUDA else 0


def _feature_bytes(facts: Facts, hidden: int, value_bytes: int) -> int:
    """What the tower made of as many pictures as fill the context that plans count with."""
    if facts.model_type != "vision":
        return 0
    width = 4 if facts.format is ModelFormat.GGUF else value_bytes  # llama.cpp's towers compute in float32
    return min(min(facts.context_window, WORKING_CONTEXT) * hidden * width, FEATURE_BYTES_MAX)


def _round_up(count: int, to: int) -> int:
    return -(-count // to) * to


def _tower_bytes(config: Mapping[str, Any], value_bytes: int) -> int:
    """Work for one picture: its patches through one layer of the tower, and their scores."""
    vision = as_mapping(config.get("vision_config"))
    hidden = first_positive(vision, "hidden_size", "embed_dim", "width")
    if hidden is None:
        return 0
    side = (first_positive(vision, "image_size") or 1024) // (first_positive(vision, "patch_size") or 14)
    patches = min(side, 160) ** 2
    heads = first_positive(vision, "num_attention_heads", "num_heads") or 1
    scores = min(heads * patches * patches * value_bytes, TOWER_SCORES_BYTES_MAX)
    return patches * hidden * 8 * value_bytes + scores
