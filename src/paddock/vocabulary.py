"""The words that every room uses: what a model is, where it stands, how a pull is getting on.

Plain frozen values. Field names are the ones that `--json`, the API and events show.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ModelFormat(StrEnum):
    """How a model's weights are stored. Only MLX and GGUF run here; the others are kept and listed."""

    MLX = "mlx"  # a folder with config.json and .safetensors
    GGUF = "gguf"
    ONNX = "onnx"  # .onnx and .ort
    COREML = "coreml"  # .mlpackage, .mlmodel
    TFLITE = "tflite"
    SWIFT_TRANSFORMERS = "swift_transformers"  # Core ML packages with a tokenizer beside them
    UNKNOWN = "unknown"

    @property
    def framework(self) -> str:
        """The program family that runs it."""
        return _FRAMEWORKS[self]

    @property
    def runs_here(self) -> bool:
        return self in (ModelFormat.MLX, ModelFormat.GGUF)


_FRAMEWORKS = {
    ModelFormat.MLX: "MLX",
    ModelFormat.GGUF: "llama.cpp",
    ModelFormat.ONNX: "ONNX Runtime",
    ModelFormat.COREML: "Core ML",
    ModelFormat.TFLITE: "TensorFlow Lite",
    ModelFormat.SWIFT_TRANSFORMERS: "Swift Transformers",
    ModelFormat.UNKNOWN: "unknown",
}


class SourceKind(StrEnum):
    """Where a model comes from."""

    HUGGINGFACE = "huggingface"
    KAGGLE = "kaggle"
    OLLAMA = "ollama"
    URL = "url"
    LOCAL = "local"
    BUILTIN = "builtin"


class Origin(StrEnum):
    """How a model came to be in the library; it decides what we may delete."""

    PULLED = "pulled"  # we fetched it, we may remove it
    ADOPTED = "adopted"  # another tool's files: listed and run in place, never altered unasked
    REGISTERED = "registered"  # a folder or file that its owner pointed us at; forgetting it leaves the files
    BUILTIN = "builtin"  # part of the package


class ModelStatus(StrEnum):
    AVAILABLE = "available"
    DOWNLOADING = "downloading"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do. Unknown counts as text only."""

    text: bool = True
    vision: bool = False
    embeddings: bool = False
    tools: bool = False
    streaming: bool = True
    thinking: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """One model as `list`, `show`, the API and the dashboard present it."""

    name: str
    family: str
    format: ModelFormat
    size: int  # bytes on disk
    parameters: int | None
    quantization: str | None
    context_window: int
    max_output_tokens: int
    modified_at: datetime
    capabilities: Capabilities
    source: SourceKind
    revision: str | None
    status: ModelStatus
    architecture: str | None = None
    framework: str = "unknown"
    origin: Origin = Origin.PULLED
    license: str | None = None
    path: str | None = None
    pinned: bool = False
    keep_alive: str | None = None
    aliases: tuple[str, ...] = ()
    last_used_at: datetime | None = None
    stale: bool = False  # shown from memory because the hub did not answer


class PullStatus(StrEnum):
    QUEUED = "queued"
    DOWNLOADING = "downloading"
    PAUSED = "paused"
    VERIFYING = "verifying"
    COMPLETE = "complete"
    CANCELLED = "cancelled"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressEvent:
    """One report of a pull. The first says 0 %, the last of a complete one 100 %."""

    percentage: float
    downloaded_bytes: int
    total_bytes: int
    download_speed: float  # bytes per second over the last five seconds
    eta_seconds: float | None
    current_file: str | None
    files_completed: int
    total_files: int
    status: PullStatus
    error: str | None
    timestamp: datetime


class Verdict(StrEnum):
    COMPATIBLE = "compatible"
    INCOMPATIBLE = "incompatible"
    UNKNOWN = "unknown"


class Confidence(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compatibility:
    """Whether a model will run here, and how sure we are or why not."""

    verdict: Verdict
    confidence: Confidence | None = None  # set when compatible
    reasons: tuple[str, ...] = ()  # set when incompatible or unknown, each a full phrase
