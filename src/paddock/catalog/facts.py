"""What is known about one model, and where each piece of it came from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final

from paddock.catalog.values import INTEGER_MAX, as_mapping
from paddock.errors import Corrupt
from paddock.vocabulary import Capabilities, ModelFormat

CONTEXT_WINDOW_DEFAULT: Final = 4096
MAX_OUTPUT_TOKENS_DEFAULT: Final = 2048

ORIGINS: Final = ("measured", "files", "hub", "database", "name", "default")  # strongest first
MODEL_TYPES: Final = ("text", "vision", "embeddings")

_TEXT_CHARACTERS_MAX = 1024
_HINT = "`paddock list --refresh` reads the model's files again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One model's facts. `origins` tells for each field, and for each capability, which evidence decided it.

    `model_type` says how it is loaded: a reranker counts as "embeddings" but has no embeddings capability.
    """

    architecture: str | None = None  # model_type of config.json, or general.architecture of GGUF
    family: str = "unknown"
    parameters: int | None = None
    quantization: str | None = None  # "4bit", "Q4_K_M", "bf16"
    context_window: int = CONTEXT_WINDOW_DEFAULT
    max_output_tokens: int = MAX_OUTPUT_TOKENS_DEFAULT
    capabilities: Capabilities = field(default_factory=Capabilities)
    format: ModelFormat = ModelFormat.UNKNOWN
    model_type: str = "text"
    origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` reads back to an equal object."""
        return {
            "architecture": self.architecture,
            "family": self.family,
            "parameters": self.parameters,
            "quantization": self.quantization,
            "context_window": self.context_window,
            "max_output_tokens": self.max_output_tokens,
            "capabilities": asdict(self.capabilities),
            "format": self.format.value,
            "model_type": self.model_type,
            "origins": dict(self.origins),
        }

    @classmethod
    def from_json(cls, payload: object) -> "Facts":
        """What `to_json` wrote. Unknown keys are ignored, missing ones take their default; garbage raises Corrupt."""
        if not isinstance(payload, Mapping):
            raise Corrupt("The stored facts about a model are not an object.", hint=_HINT)
        row = as_mapping(payload)  # pyright: ignore[reportUnknownArgumentType] (as_mapping checks the keys)
        return cls(
            architecture=_text(row, "architecture"),
            family=_text(row, "family") or "unknown",
            parameters=_number(row, "parameters"),
            quantization=_text(row, "quantization"),
            context_window=_number(row, "context_window") or CONTEXT_WINDOW_DEFAULT,
            max_output_tokens=_number(row, "max_output_tokens") or MAX_OUTPUT_TOKENS_DEFAULT,
            capabilities=_capabilities(row.get("capabilities", {})),
            format=_format(row.get("format", ModelFormat.UNKNOWN.value)),
            model_type=_model_type(row.get("model_type", "text")),
            origins=_origins(row.get("origins", {})),
        )


def _text(row: Mapping[str, Any], key: str) -> str | None:
    value = row.get(key)
    if value is None or (isinstance(value, str) and len(value) <= _TEXT_CHARACTERS_MAX):
        return value or None
    raise _wrong(key, value)


def _number(row: Mapping[str, Any], key: str) -> int | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < INTEGER_MAX:
        return value
    raise _wrong(key, value)


def _capabilities(value: object) -> Capabilities:
    if not isinstance(value, Mapping):
        raise _wrong("capabilities", value)
    told = as_mapping(value)  # pyright: ignore[reportUnknownArgumentType] (as_mapping checks the keys)
    chosen: dict[str, bool] = {}
    for item in fields(Capabilities):
        flag = told.get(item.name, item.default)
        if not isinstance(flag, bool):
            raise _wrong(f"capabilities.{item.name}", flag)
        chosen[item.name] = flag
    return Capabilities(**chosen)


def _format(value: object) -> ModelFormat:
    for known in ModelFormat:
        if value == known.value:
            return known
    raise _wrong("format", value)


def _model_type(value: object) -> str:
    if isinstance(value, str) and value in MODEL_TYPES:
        return value
    raise _wrong("model_type", value)


def _origins(value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise _wrong("origins", value)
    told = as_mapping(value)  # pyright: ignore[reportUnknownArgumentType] (as_mapping checks the keys)
    for key, origin in told.items():
        if origin not in ORIGINS:
            raise _wrong(f"origins.{key[:40]}", origin)
    return MappingProxyType(dict(told))


def _wrong(key: str, value: object) -> Corrupt:
    shown = repr(value)
    return Corrupt(f"The stored facts about a model hold {shown[:60]} as `{key}`.", hint=_HINT)
