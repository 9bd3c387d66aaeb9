"""What config.json tells. Multimodal models nest the language model's settings in an object; we look there first."""

from collections.abc import Mapping
from typing import Any

from paddock.catalog.clues import Clues
from paddock.catalog.traits import normalised_architecture, traits
from paddock.catalog.values import as_list, as_mapping, as_number, as_positive, as_text, first_positive, first_text

_NESTED = ("text_config", "llm_config", "language_config", "language_model", "thinker_config")
_CONTEXT_KEYS = (
    "max_position_embeddings", "n_positions", "max_seq_len", "max_seq_length", "seq_length", "max_sequence_length",
    "model_max_length", "n_ctx", "max_context_length",
)  # fmt: skip
_DTYPES = {"bfloat16": "bf16", "float16": "f16", "half": "f16", "float32": "f32", "float": "f32"}
# RoBERTa counts positions from 2 (`padding_idx + 1`), so 514 positions hold 512 tokens.
_OFFSET_BY_TWO = ("roberta", "xlm_roberta", "camembert", "mpnet")
_VISION_WORDS = ("vl", "vlm", "vision", "multimodal")


def text_settings(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings of the language model: the nested object's, above the outer ones."""
    settings = dict(config)
    for key in _NESTED:
        nested = as_mapping(config.get(key))
        if nested:
            settings.update(text_settings(nested))
            break
    return settings


def architecture_of(config: Mapping[str, Any]) -> str | None:
    return first_text(config, "model_type") or first_text(text_settings(config), "model_type")


def clues_of_config(config: Mapping[str, Any]) -> Clues:
    """Everything that a config.json settles. An empty config settles nothing."""
    if not config:
        return Clues()
    architecture = architecture_of(config)
    embeddings, reranker = _embeds(config, architecture)
    return Clues(
        architecture=architecture,
        parameters=first_positive(config, "num_parameters", "n_params"),
        quantization=_quantization(config),
        context_window=_context_window(config),
        vision=_sees(config, architecture),
        embeddings=embeddings,
        reranker=reranker,
    )


def is_remote_code(config: Mapping[str, Any]) -> bool:
    """True when the model asks to run Python of its own."""
    return bool(as_mapping(config.get("auto_map"))) or as_text(config.get("model_file")) is not None


def _sees(config: Mapping[str, Any], architecture: str | None) -> bool | None:
    """Pictures: told by fields that only picture models have, or by the architecture.

    `patch_size` and `image_size` alone prove nothing: audio and diffusion models have them, and picture classifiers.
    """
    if any(config.get(key) for key in traits().vision_fields if key != "image_token_id"):
        return True
    if as_positive(config.get("image_token_id")):
        return True
    names = [normalised_architecture(name) for name in (architecture, *_class_names(config)) if name]
    if any(name in traits().vision_architectures or name in traits().image_embedding_architectures for name in names):
        return True
    if architecture and any(word in _VISION_WORDS for word in normalised_architecture(architecture).split("_")):
        return True
    return False if names else None


def _embeds(config: Mapping[str, Any], architecture: str | None) -> tuple[bool | None, bool | None]:
    """(embeddings, reranker). A decoder's config cannot tell that the model was trained to embed: silent then."""
    classes = [name.lower() for name in _class_names(config)]
    if any(name.endswith("forsequenceclassification") for name in classes):
        # A classifier of one label scores a pair: a cross-encoder.
        labels = as_mapping(config.get("id2label"))
        return False, len(labels) == 1 or first_positive(config, "num_labels") == 1 or None
    known = normalised_architecture(architecture or "")
    if known in traits().embedding_architectures or known in traits().image_embedding_architectures:
        return True, None
    if any(word in name for name in classes for word in ("embedding", "sentence", "bert")):
        return True, None
    return None, None


def _class_names(config: Mapping[str, Any]) -> list[str]:
    return [name for item in as_list(config.get("architectures")) if (name := as_text(item))]


def _quantization(config: Mapping[str, Any]) -> str | None:
    inner = text_settings(config)
    for settings in (config, inner):
        mlx = as_mapping(settings.get("quantization"))
        if bits := as_positive(mlx.get("bits")):
            mode = as_text(mlx.get("mode"))
            return mode if mode and mode != "affine" else f"{bits}bit"
        foreign = as_mapping(settings.get("quantization_config"))
        if foreign:
            return _foreign_quantization(foreign)
    dtype = first_text(config, "dtype", "torch_dtype") or first_text(inner, "dtype", "torch_dtype")
    return _DTYPES.get(dtype.removeprefix("torch.")) if dtype else None


def _foreign_quantization(settings: Mapping[str, Any]) -> str | None:
    method = first_text(settings, "quant_method", "quant_algo")
    bits = first_positive(settings, "bits", "w_bit")
    if settings.get("load_in_4bit") is True:
        bits = 4
    if method and bits:
        return f"{method.lower()}-{bits}bit"
    return method.lower() if method else f"{bits}bit" if bits else None


def _context_window(config: Mapping[str, Any]) -> int | None:
    settings = text_settings(config)
    window = first_positive(settings, *_CONTEXT_KEYS)
    if window is None:
        return None
    architecture = normalised_architecture(first_text(settings, "model_type") or "")
    if architecture in _OFFSET_BY_TWO and window % 64 == 2:
        window -= 2
    return _stretched(window, settings)


def _stretched(window: int, settings: Mapping[str, Any]) -> int:
    """`window` after rope scaling. Where the original length is told, factor times it is what the model reaches;
    without it (linear, llama3, longrope) `max_position_embeddings` is the stretched length already.
    """
    scaling = as_mapping(settings.get("rope_scaling") or settings.get("rope_parameters"))
    if "full_attention" in scaling:  # per layer kind, in newer configs
        scaling = as_mapping(scaling["full_attention"])
    kind = first_text(scaling, "rope_type", "type")
    factor = as_number(scaling.get("factor"))
    if kind != "yarn" or factor is None:
        return window
    original = first_positive(scaling, "original_max_position_embeddings") or window
    return max(window, min(int(original * factor), 1 << 40))
