"""Evidence about a model from one place, and how several make Facts: the strongest that knows a field decides."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, cast

from paddock.catalog.facts import CONTEXT_WINDOW_DEFAULT, MAX_OUTPUT_TOKENS_DEFAULT, ORIGINS, Facts
from paddock.vocabulary import Capabilities, ModelFormat

CAPABILITIES = tuple(item.name for item in fields(Capabilities))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clues:
    """What one kind of evidence tells. None means that it is silent, which is not the same as no."""

    architecture: str | None = None
    family: str | None = None
    parameters: int | None = None
    quantization: str | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    format: ModelFormat | None = None
    reranker: bool | None = None
    text: bool | None = None
    vision: bool | None = None
    embeddings: bool | None = None
    tools: bool | None = None
    streaming: bool | None = None
    thinking: bool | None = None

    def over(self, weaker: "Clues") -> "Clues":
        """These clues, with the gaps filled from `weaker` ones of the same origin."""
        return Clues(
            **{
                item.name: getattr(weaker, item.name) if getattr(self, item.name) is None else getattr(self, item.name)
                for item in fields(Clues)
            }
        )


def weigh(evidence: Mapping[str, Clues]) -> Facts:
    """Make Facts of clues by origin (the words of ORIGINS)."""
    chosen: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin in ORIGINS:
        clues = evidence.get(origin, Clues())
        for item in fields(Clues):
            value = getattr(clues, item.name)
            if value is not None and item.name not in chosen:
                chosen[item.name], origins[item.name] = value, origin
    capabilities = _capabilities(chosen, origins)
    model_type = _model_type(capabilities, chosen, origins)
    context = cast("int", chosen.get("context_window", CONTEXT_WINDOW_DEFAULT))
    output = cast("int", chosen.get("max_output_tokens", MAX_OUTPUT_TOKENS_DEFAULT))
    origins.pop("reranker", None)
    for name in ("context_window", "max_output_tokens", "family", "format"):
        origins.setdefault(name, "default")
    return Facts(
        architecture=chosen.get("architecture"),
        family=chosen.get("family", "unknown"),
        parameters=chosen.get("parameters"),
        quantization=chosen.get("quantization"),
        context_window=context,
        max_output_tokens=min(output, context),
        capabilities=capabilities,
        format=chosen.get("format", ModelFormat.UNKNOWN),
        model_type=model_type,
        origins=MappingProxyType(origins),
    )


def _capabilities(chosen: Mapping[str, Any], origins: dict[str, str]) -> Capabilities:
    """What was told, made consistent: a model that embeds or reranks does not chat."""
    basic = Capabilities()
    flags: dict[str, bool] = {name: chosen.get(name, getattr(basic, name)) for name in CAPABILITIES}
    for name in CAPABILITIES:
        origins.setdefault(name, "default")
    decider = "reranker" if chosen.get("reranker") else "embeddings" if flags["embeddings"] else None
    if decider:
        for name in ("text", "tools", "streaming", "thinking"):
            flags[name], origins[name] = False, origins[decider]
    if decider == "reranker":
        flags["embeddings"], origins["embeddings"] = False, origins["reranker"]
    return Capabilities(**flags)


def _model_type(capabilities: Capabilities, chosen: Mapping[str, Any], origins: dict[str, str]) -> str:
    if capabilities.embeddings or chosen.get("reranker"):
        origins["model_type"] = origins["embeddings"]
        return "embeddings"
    origins["model_type"] = origins["vision"]
    return "vision" if capabilities.vision else "text"
