"""What a hub's metadata tells: tags, pipeline, library, and the excerpts of config and headers that the API returns."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from paddock.catalog.clues import Clues
from paddock.catalog.evidence.config import clues_of_config
from paddock.catalog.evidence.template import clues_of_template, template_in
from paddock.catalog.traits import traits
from paddock.catalog.values import as_mapping, as_positive, as_text
from paddock.vocabulary import ModelFormat

_LIBRARIES = {
    "mlx": ModelFormat.MLX,
    "gguf": ModelFormat.GGUF,
    "llama.cpp": ModelFormat.GGUF,
    "onnx": ModelFormat.ONNX,
    "onnxruntime": ModelFormat.ONNX,
    "transformers.js": ModelFormat.ONNX,
    "coreml": ModelFormat.COREML,
    "core-ml": ModelFormat.COREML,
    "tflite": ModelFormat.TFLITE,
    "litert": ModelFormat.TFLITE,
    "litert-lm": ModelFormat.TFLITE,
    "mediapipe": ModelFormat.TFLITE,
    "swift-transformers": ModelFormat.SWIFT_TRANSFORMERS,
}
_WORDS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFacts:
    """The part of a hub's answer that says what a model is. `metadata` has `config`, `gguf`, `safetensors` as told."""

    tags: tuple[str, ...] = ()
    pipeline_tag: str | None = None
    library_name: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])


def clues_of_hub(hub: HubFacts) -> Clues:
    """Tags and pipeline first, then the hub's own excerpts of the files."""
    told = clues_of_tags(hub)
    gguf = as_mapping(hub.metadata.get("gguf"))
    safetensors = as_mapping(hub.metadata.get("safetensors"))
    config = as_mapping(hub.metadata.get("config"))
    excerpts = Clues(
        architecture=as_text(gguf.get("architecture")),
        parameters=as_positive(safetensors.get("total")) or as_positive(gguf.get("total")),
        context_window=as_positive(gguf.get("context_length")),
    )
    template = as_text(gguf.get("chat_template")) or template_in(as_mapping(config.get("tokenizer_config")))
    if template:
        excerpts = excerpts.over(clues_of_template(template))
    from_config = clues_of_config(config)
    if from_config.vision is False:
        # The hub's excerpt lacks vision_config, so its silence is no proof.
        from_config = Clues(
            architecture=from_config.architecture,
            quantization=from_config.quantization,
            context_window=from_config.context_window,
            embeddings=from_config.embeddings,
            reranker=from_config.reranker,
        )
    return excerpts.over(told).over(from_config)


def clues_of_tags(hub: HubFacts) -> Clues:
    """Capabilities from pipeline tag and tags; a pipeline is one word chosen by the maker, tags are looser."""
    tables = traits().hub
    pipeline = (hub.pipeline_tag or "").lower()
    tags = {tag.lower() for tag in hub.tags}
    reranker = pipeline in tables["reranker_pipelines"] or not tags.isdisjoint(tables["reranker_tags"])
    generates = pipeline in tables["text_pipelines"]
    embeds = pipeline in tables["embedding_pipelines"] or (
        not generates and not reranker and not tags.isdisjoint(tables["embedding_tags"])
    )
    sees = pipeline in tables["vision_pipelines"] or any(_is_vision_tag(tag) for tag in tags)
    return Clues(
        format=format_of_library(hub.library_name, hub.tags),
        vision=True if sees else None,
        embeddings=True if embeds and not reranker else False if generates else None,
        reranker=True if reranker else None,
        tools=None if tags.isdisjoint(tables["tools_tags"]) else True,
        thinking=None if tags.isdisjoint(tables["thinking_tags"]) else True,
    )


def format_of_library(library_name: str | None, tags: tuple[str, ...]) -> ModelFormat | None:
    if library_name and library_name.lower() in _LIBRARIES:
        return _LIBRARIES[library_name.lower()]
    lower = {tag.lower() for tag in tags}
    if lower & {"mlx", "apple-mlx", "library:mlx"}:
        return ModelFormat.MLX
    return ModelFormat.GGUF if "gguf" in lower else None


def _is_vision_tag(tag: str) -> bool:
    """Whole words: `vision-language` and `image-text-to-text` count, `supervision` and `television` do not."""
    if ":" in tag:  # `base_model:org/some-vision-model`, `dataset:…`: about something else
        return False
    words = _WORDS.split(tag)
    joined = f"-{'-'.join(words)}-"
    if "computer" in words or "llava" in tag:
        return "llava" in tag
    return any(f"-{indicator}-" in joined for indicator in traits().hub["vision_tags"])
