"""Real mlx-vlm architectures made tiny: a config each, random weights that make up their minds, pony's words."""

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_vlm.utils import get_model_and_args, update_module_configs

from tests.runner.vision import chat_templates

PONY = Path(__file__).parents[3] / "src/paddock/builtin_models/pony"
WORDS = 4096  # pony's
PICTURE = 3  # pony has a word for pictures already: `<image>`
VOCABULARY = 4128
CONTEXT = 1024
_MODULES = ["text", "vision", "perceiver", "projector", "audio"]

_TEXT: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "max_position_embeddings": CONTEXT,
    "tie_word_embeddings": False,
}
_TOWER: dict[str, Any] = {
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "num_channels": 3,
    "patch_size": 8,
    "image_size": 48,
}
_PIXELS: dict[str, Any] = {
    "do_convert_rgb": True,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "do_resize": True,
    "resample": 3,
}
_QWEN_WORDS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
_QWEN_IDS = {
    "vision_start_token_id": WORDS,
    "vision_end_token_id": WORDS + 1,
    "image_token_id": WORDS + 2,
    "video_token_id": WORDS + 3,
}
_QWEN_PIXELS = {
    **_PIXELS,
    "min_pixels": 16 * 16 * 4,
    "max_pixels": 16 * 16 * 64,
    "merge_size": 2,
    "temporal_patch_size": 2,
}
_IDEFICS_WORDS = (
    "<fake_token_around_image>",
    "<end_of_utterance>",
    "<global-img>",
    *(f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)),
)
_IDEFICS_PIXELS = {
    **_PIXELS,
    "size": {"longest_edge": 96},
    "max_image_size": {"longest_edge": 48},
    "do_image_splitting": True,
    "do_pad": True,
}


@dataclass(frozen=True)
class Tiny:
    config: dict[str, Any]
    words: tuple[str, ...]
    template: str
    pixels: dict[str, Any]
    processor: dict[str, Any] = field(default_factory=dict[str, Any])
    special: dict[str, str] = field(default_factory=dict[str, str])  # of the tokenizer's config


TINY: dict[str, Tiny] = {
    "llava": Tiny(
        config={
            "image_token_index": PICTURE,
            "vision_feature_layer": -2,
            "vision_feature_select_strategy": "default",
            "text_config": {**_TEXT, "model_type": "llama"},
            "vision_config": {**_TOWER, "model_type": "clip_vision_model", "projection_dim": 32},
        },
        words=(),
        template=chat_templates.LLAVA,
        pixels={
            **_PIXELS,
            "image_processor_type": "CLIPImageProcessor",
            "size": {"shortest_edge": 48},
            "do_center_crop": True,
            "crop_size": {"height": 48, "width": 48},
        },
        processor={
            "processor_class": "LlavaProcessor",
            "patch_size": 8,
            "vision_feature_select_strategy": "default",
            "image_token": "<image>",
            "num_additional_image_tokens": 1,
        },
    ),
    "qwen2_vl": Tiny(
        config={
            **_TEXT,
            **_QWEN_IDS,
            "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
            "vision_config": {
                "model_type": "qwen2_vl",
                "depth": 2,
                "embed_dim": 48,
                "hidden_size": 64,
                "num_heads": 3,
                "patch_size": 8,
                "spatial_patch_size": 8,
                "mlp_ratio": 2,
            },
        },
        words=_QWEN_WORDS,
        template=chat_templates.QWEN,
        pixels={**_QWEN_PIXELS, "image_processor_type": "Qwen2VLImageProcessor", "patch_size": 8},
        processor={"processor_class": "Qwen2VLProcessor"},
    ),
    "qwen2_5_vl": Tiny(
        config={
            **_TEXT,
            **_QWEN_IDS,
            "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
            "vision_config": {
                "model_type": "qwen2_5_vl",
                "depth": 2,
                "hidden_size": 48,
                "intermediate_size": 64,
                "out_hidden_size": 64,
                "num_heads": 3,
                "patch_size": 8,
                "spatial_patch_size": 8,
                "window_size": 32,
                "fullatt_block_indexes": [1],
            },
        },
        words=_QWEN_WORDS,
        template=chat_templates.QWEN,
        pixels={**_QWEN_PIXELS, "image_processor_type": "Qwen2VLImageProcessor", "patch_size": 8},
        processor={"processor_class": "Qwen2_5_VLProcessor"},
    ),
    "qwen3_vl": Tiny(
        config={
            **_QWEN_IDS,
            "text_config": {
                **_TEXT,
                "model_type": "qwen3_vl_text",
                "rope_scaling": {"type": "mrope", "mrope_section": [4, 2, 2], "mrope_interleaved": True},
            },
            "vision_config": {
                "model_type": "qwen3_vl",
                "depth": 3,
                "hidden_size": 48,
                "intermediate_size": 64,
                "out_hidden_size": 64,
                "num_heads": 3,
                "patch_size": 8,
                "num_position_embeddings": 36,
                "deepstack_visual_indexes": [0, 1],
            },
        },
        words=_QWEN_WORDS,
        template=chat_templates.QWEN,
        pixels={**_QWEN_PIXELS, "image_processor_type": "Qwen2VLImageProcessorFast", "patch_size": 8},
        processor={"processor_class": "Qwen3VLProcessor"},
    ),
    "qwen3_vl_moe": Tiny(
        config={
            **_QWEN_IDS,
            "text_config": {
                **_TEXT,
                "model_type": "qwen3_vl_moe_text",
                "num_experts": 4,
                "num_experts_per_tok": 2,
                "decoder_sparse_step": 1,
                "mlp_only_layers": [],
                "moe_intermediate_size": 48,
                "rope_scaling": {"type": "mrope", "mrope_section": [4, 2, 2], "mrope_interleaved": True},
            },
            "vision_config": {
                "model_type": "qwen3_vl_moe",
                "depth": 3,
                "hidden_size": 48,
                "intermediate_size": 64,
                "out_hidden_size": 64,
                "num_heads": 3,
                "patch_size": 8,
                "num_position_embeddings": 36,
                "deepstack_visual_indexes": [0, 1],
            },
        },
        words=_QWEN_WORDS,
        template=chat_templates.QWEN,
        pixels={**_QWEN_PIXELS, "image_processor_type": "Qwen2VLImageProcessorFast", "patch_size": 8},
        processor={"processor_class": "Qwen3VLProcessor"},
    ),
    "idefics3": Tiny(
        config={
            "image_token_id": PICTURE,
            "scale_factor": 2,
            "text_config": {**_TEXT, "model_type": "llama"},
            "vision_config": {**_TOWER, "model_type": "idefics3"},
        },
        words=_IDEFICS_WORDS,
        template=chat_templates.IDEFICS,
        pixels={**_IDEFICS_PIXELS, "image_processor_type": "Idefics3ImageProcessor"},
        processor={"processor_class": "Idefics3Processor", "image_seq_len": 9},
    ),
    "smolvlm": Tiny(
        config={
            "image_token_id": PICTURE,
            "scale_factor": 2,
            "text_config": {**_TEXT, "model_type": "llama"},
            "vision_config": {**_TOWER, "model_type": "smolvlm_vision"},
        },
        words=_IDEFICS_WORDS,
        template=chat_templates.IDEFICS,
        pixels={**_IDEFICS_PIXELS, "image_processor_type": "SmolVLMImageProcessor"},
        processor={"processor_class": "SmolVLMProcessor", "image_seq_len": 9},
    ),
    "gemma3": Tiny(
        config={
            "image_token_index": WORDS + 2,
            "hidden_size": 64,
            "mm_tokens_per_image": 9,
            "text_config": {
                **_TEXT,
                "model_type": "gemma3_text",
                "num_hidden_layers": 4,
                "sliding_window": 20,
                "sliding_window_pattern": 2,
                "query_pre_attn_scalar": 16,
                "mm_tokens_per_image": 9,
            },
            "vision_config": {**_TOWER, "model_type": "siglip_vision_model"},
        },
        words=("<start_of_image>", "<end_of_image>", "<image_soft_token>"),
        template=chat_templates.GEMMA,
        pixels={
            **_PIXELS,
            "image_processor_type": "Gemma3ImageProcessor",
            "size": {"height": 48, "width": 48},
            "do_pan_and_scan": None,
        },
        processor={"processor_class": "Gemma3Processor", "image_seq_length": 9},
        special={
            "boi_token": "<start_of_image>",
            "eoi_token": "<end_of_image>",
            "image_token": "<image_soft_token>",
        },
    ),
    "pixtral": Tiny(
        config={
            "image_token_index": WORDS,
            "text_config": {**_TEXT, "model_type": "mistral"},
            "vision_config": {**_TOWER, "model_type": "pixtral", "head_dim": 16, "image_size": 96},
        },
        words=("[IMG]", "[IMG_BREAK]", "[IMG_END]"),
        template=chat_templates.PIXTRAL,
        pixels={
            **_PIXELS,
            "image_processor_type": "PixtralImageProcessor",
            "size": {"longest_edge": 64},
            "patch_size": {"height": 8, "width": 8},
        },
        processor={"processor_class": "PixtralProcessor", "patch_size": 8},
    ),
    "mistral3": Tiny(
        config={
            "image_token_index": WORDS,
            "spatial_merge_size": 2,
            "text_config": {**_TEXT, "model_type": "mistral"},
            "vision_config": {**_TOWER, "model_type": "pixtral", "head_dim": 16, "image_size": 96},
        },
        words=("[IMG]", "[IMG_BREAK]", "[IMG_END]"),
        template=chat_templates.PIXTRAL,
        pixels={
            **_PIXELS,
            "image_processor_type": "PixtralImageProcessor",
            "size": {"longest_edge": 64},
            "patch_size": {"height": 8, "width": 8},
        },
        processor={"processor_class": "Mistral3Processor", "patch_size": 8, "spatial_merge_size": 2},
    ),
}


_HYBRID: dict[str, Any] = {
    **_TEXT,
    "num_hidden_layers": 4,
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 32,
    "linear_value_head_dim": 32,
    "linear_conv_kernel_dim": 3,
    "full_attention_interval": 2,
    "rope_parameters": {
        "type": "default",
        "mrope_section": [2, 1, 1],
        "rope_theta": 10000.0,
        "partial_rotary_factor": 0.5,
    },
}
_HYBRID_TOWER: dict[str, Any] = {
    "depth": 2,
    "hidden_size": 48,
    "intermediate_size": 64,
    "out_hidden_size": 64,
    "num_heads": 3,
    "patch_size": 8,
    "num_position_embeddings": 36,
    "deepstack_visual_indexes": [],
}
# Their language parts keep more than keys and values, or scale by position: they go solo.
SOLO: dict[str, Tiny] = {
    "qwen3_5": Tiny(
        config={
            **_QWEN_IDS,
            "text_config": {**_HYBRID, "model_type": "qwen3_5_text"},
            "vision_config": {**_HYBRID_TOWER, "model_type": "qwen3_5"},
        },
        words=_QWEN_WORDS,
        template=chat_templates.QWEN,
        pixels={**_QWEN_PIXELS, "image_processor_type": "Qwen2VLImageProcessorFast", "patch_size": 8},
        processor={"processor_class": "Qwen3VLProcessor"},
    ),
    "qwen3_5_moe": Tiny(
        config={
            **_QWEN_IDS,
            "text_config": {
                **_HYBRID,
                "model_type": "qwen3_5_moe_text",
                "num_experts": 4,
                "num_experts_per_tok": 2,
                "moe_intermediate_size": 48,
                "shared_expert_intermediate_size": 48,
            },
            "vision_config": {**_HYBRID_TOWER, "model_type": "qwen3_5_moe"},
        },
        words=_QWEN_WORDS,
        template=chat_templates.QWEN,
        pixels={**_QWEN_PIXELS, "image_processor_type": "Qwen2VLImageProcessorFast", "patch_size": 8},
        processor={"processor_class": "Qwen3VLProcessor"},
    ),
    "ministral3": replace(
        TINY["mistral3"],
        config={
            **TINY["mistral3"].config,
            "model_type": "mistral3",
            "text_config": {
                **_TEXT,
                "model_type": "ministral3",
                "rope_parameters": {
                    "type": "yarn",
                    "rope_theta": 10000.0,
                    "factor": 4.0,
                    "beta_fast": 32.0,
                    "beta_slow": 1.0,
                    "mscale": 1.0,
                    "mscale_all_dim": 1.0,
                    "original_max_position_embeddings": 16,
                    "llama_4_scaling_beta": 0.1,
                },
            },
        },
    ),
}


def make_folder(name: str, folder: Path) -> Path:
    """Write the architecture `name` to disk as a model that anybody may load. The same weights each time."""
    tiny = {**TINY, **SOLO}[name]
    config = {"model_type": name, "vocab_size": VOCABULARY, "eos_token_id": 2, "pad_token_id": 0, **tiny.config}
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    mx.save_safetensors(str(folder / "model.safetensors"), _weights(name, config), metadata={"format": "mlx"})
    _write_tokenizer(folder, tiny)
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": tiny.template}))
    (folder / "preprocessor_config.json").write_text(json.dumps({**tiny.processor, **tiny.pixels}))
    (folder / "processor_config.json").write_text(json.dumps(tiny.processor))
    return folder


def _weights(name: str, config: dict[str, Any]) -> dict[str, mx.array]:
    config = json.loads(json.dumps(config))
    classes, _ = get_model_and_args(config)
    config.setdefault("text_config", {})
    shape = update_module_configs(classes.ModelConfig.from_dict(config), classes, config, _MODULES)
    model = classes.Model(shape)
    mx.random.seed(len(name) * 1000 + 7)
    return {key: _random(name, key, value) for key, value in tree_flatten(model.parameters())}


def _random(name: str, key: str, value: mx.array) -> mx.array:
    """Small around what the model starts with; matrices wide enough that the likeliest token stands out."""
    if value.ndim < 2:
        # gemma's norms begin at one and are told what to add.
        return 0.05 * mx.random.normal(value.shape) + (0 if name == "gemma3" and "language_model" in key else value)
    gain = 4.0 if "lm_head" in key or "embed_tokens" in key else 1.5
    if name == "gemma3" and "embed_tokens" in key:
        gain = 0.3  # it multiplies its embeddings by eight
    inputs = value.size / value.shape[0]
    return gain * mx.random.normal(value.shape) / inputs**0.5


def _write_tokenizer(folder: Path, tiny: Tiny) -> None:
    told = json.loads((PONY / "tokenizer.json").read_text())
    for number, word in enumerate(tiny.words):
        told["added_tokens"].append(
            {
                "id": WORDS + number,
                "content": word,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
        )
    (folder / "tokenizer.json").write_text(json.dumps(told))
    settings = json.loads((PONY / "tokenizer_config.json").read_text())
    # As some models come: the tokenizer's own template knows no pictures.
    settings |= {"chat_template": chat_templates.WORDS_ONLY, **tiny.special}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    shutil.copy(PONY / "special_tokens_map.json", folder)
