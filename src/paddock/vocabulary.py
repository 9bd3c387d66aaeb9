"""The words that every room uses: what a model is, where it stands, how a pull is getting on.

Plain frozen values. Field names are the ones that `--json`, the API and events show.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any


class ModelFormat(StrEnum):
    """How a model's weights are stored. MLX and GGUF run here, and ONNX where it embeds; the others are kept and listed."""

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

    def runs(self, *, embeds: bool) -> bool:
        """Whether a model runs here that is stored so and makes embeddings, or does not."""
        return self.runs_here or (embeds and self is ModelFormat.ONNX)


_FRAMEWORKS = {
    ModelFormat.MLX: "MLX",
    ModelFormat.GGUF: "llama.cpp",
    ModelFormat.ONNX: "ONNX Runtime",
    ModelFormat.COREML: "Core ML",
    ModelFormat.TFLITE: "TensorFlow Lite",
    ModelFormat.SWIFT_TRANSFORMERS: "Swift Transformers",
    ModelFormat.UNKNOWN: "unknown",
}


class ModelKind(StrEnum):
    """What a model is for. It decides how one is loaded and which endpoints it answers."""

    TEXT = "text"
    VISION = "vision"  # text, and pictures in the prompt
    EMBEDDINGS = "embeddings"  # vectors, or scores of pairs: rerankers are among them


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


class Priority(IntEnum):
    """Lower goes first. Waiting requests age towards HIGH."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


class FinishReason(StrEnum):
    STOP = "stop"  # an end token, a stop token or a stop string
    LENGTH = "length"  # max_tokens, or the context is full
    TOOL_CALLS = "tool_calls"  # the model wants tools to be called
    CANCELLED = "cancelled"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How one request chooses its tokens. Checked by `check_sampling` where it enters; inside it is known to be valid."""

    temperature: float = 0.7  # 0 is greedy
    top_p: float = 1.0
    top_k: int = 0  # 0 is off
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict[int, float])
    seed: int | None = None
    max_tokens: int | None = None  # None is until the context is full
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    ignore_end: bool = False  # go on past end tokens (benchmarks)
    top_logprobs: int | None = None  # None is none; 0 is the chosen token's only


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprob:
    token_id: int
    logprob: float
    token: bytes = b""  # what it says, in UTF-8: a part of a character, perhaps. The runner fills it in on the way out


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one request took."""

    prompt_tokens: int = 0
    cached_tokens: int = 0  # of the prompt, found in the prefix cache
    completion_tokens: int = 0
    reasoning_tokens: int = 0  # of these, the thought and what marks it
    drafted_tokens: int = 0  # guessed by speculation
    accepted_tokens: int = 0  # of these, kept
    queued_s: float = field(default=0.0, compare=False)  # it waited so long until it was turned to


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that the model may ask to have called."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])  # a JSON schema of an object
    strict: bool = False  # arguments are held to the schema while they are written


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call that a model asked for. `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


class ToolUse(StrEnum):
    """Whether tools are called."""

    AUTO = "auto"  # as the model sees fit
    NONE = "none"
    REQUIRED = "required"  # at least one


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolChoice:
    use: ToolUse = ToolUse.AUTO
    name: str | None = None  # with REQUIRED: this one
    parallel: bool = True  # more than one call in one answer


class FormatKind(StrEnum):
    """What the text of an answer must be."""

    TEXT = "text"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"
    REGEX = "regex"
    CHOICE = "choice"
    GRAMMAR = "grammar"  # Lark, or GBNF


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFormat:
    """A form that the answer is held to while it is written."""

    kind: FormatKind = FormatKind.TEXT
    schema: Mapping[str, Any] | bool | None = None  # with JSON_SCHEMA
    pattern: str = ""  # with REGEX and GRAMMAR
    choices: tuple[str, ...] = ()  # with CHOICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """Whether the model reasons before it answers.

    A model that can do either thinks only when it is asked to, whatever its template does by itself: None is nobody said, and
    then a budget for the thought asks for one. One that always thinks does so.
    """

    enabled: bool | None = None
    budget_tokens: int | None = None  # then the thought is ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture of a message: first as the caller gave it, then, once `images` has read it, as its pixels."""

    at: int = 0  # so many characters of the message's `content` come before it
    source: str = ""  # `data:…`, `https://…` or a path, still to be fetched; empty once it is read
    pixels: bytes = b""  # rows of RGB, a byte each
    width: int = 0
    height: int = 0
    digest: str = ""  # of size and pixels: equal pictures have equal ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a conversation, as chat templates take it."""

    role: str
    content: str = ""
    images: tuple[Picture, ...] = ()  # in the order of `at`
    name: str | None = None
    reasoning: str = ""  # of the assistant, given back by the caller
    tool_calls: tuple[ToolCall, ...] = ()  # of the assistant
    tool_call_id: str | None = None  # with role `tool`: the call that this answers


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest:
    """What a runner is asked for. Exactly one of `messages`, `prompt`, `tokens` is given."""

    id: str
    sampling: Sampling
    messages: tuple[Message, ...] | None = None
    prompt: str | None = None
    tokens: tuple[int, ...] | None = None
    priority: Priority = Priority.NORMAL
    tenant: str = ""  # prefixes are shared within one tenant only
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    format: OutputFormat = field(default_factory=OutputFormat)
    thinking: Thinking = field(default_factory=Thinking)
    template_options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    deadline_s: float | None = None  # from when the runner receives it


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """What one caller wants answered, whatever dialect it came in. Exactly one of `messages`, `prompt`, `tokens` is given."""

    id: str  # the request's id from the edge to the runner's log
    model: str  # as the caller wrote it: a name, an alias, empty for the default
    sampling: Sampling
    left_open: frozenset[str] = frozenset()  # fields of `sampling` that the model's own options fill in
    messages: tuple[Message, ...] | None = None
    prompt: str | None = None
    tokens: tuple[int, ...] | None = None
    choices: int = 1  # independent answers; those of a seeded request draw from seeds of their own
    priority: Priority = Priority.NORMAL
    tenant: str = ""
    from_here: bool = False  # the caller is on this machine, and may name pictures by path
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    format: OutputFormat = field(default_factory=OutputFormat)
    thinking: Thinking = field(default_factory=Thinking)
    template_options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    deadline_s: float | None = None
    keep_alive: str | None = None  # how long the model stays after this request; None is as set


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallDelta:
    """More of one call. The first of an index has its id and name; the arguments follow in pieces."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateEvent:
    """One piece of an answer. The last has a `finish_reason`."""

    id: str
    text: str = ""  # of the answer; no markup of thoughts and calls
    reasoning: str = ""  # of the thought before it
    tool_calls: tuple[ToolCallDelta, ...] = ()
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[
        tuple[TokenLogprob, ...], ...
    ] = ()  # for each token but an end: the chosen one first, then the likeliest
    finish_reason: FinishReason | None = None
    stop: str | None = None  # with the last event: the stop string that ended the answer
    usage: Usage | None = None  # with the last event
    begun: Usage | None = None  # with the first event: what the prompt took
    error_code: str | None = None  # with FinishReason.ERROR
    error: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedRequest:
    """Texts that one caller wants vectors of, whatever dialect they came in; what a runner is asked for, too."""

    id: str
    inputs: tuple[str | tuple[int, ...], ...]  # texts, or tokens that are taken as they are
    model: str = ""  # as the caller wrote it; runners do not look at it
    dimensions: int | None = None  # so many of the first ones, of length 1 again; None is all
    truncate: bool = False  # cut what is longer than the context; else it is refused
    input_type: str | None = None  # the name of one of the prompts that the model wants before texts: `query`
    priority: Priority = Priority.NORMAL
    deadline_s: float | None = None  # counted where the request enters
    keep_alive: str | None = None  # how long the model stays after this request; None is as set


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """The vectors of all inputs, in their order. Each has the length 1."""

    vectors: bytes  # float32, little-endian, one row of `dimensions` an input
    dimensions: int
    tokens: tuple[int, ...]  # of each input as the model read it: with special tokens, without padding
    cut: tuple[int, ...] = ()  # tokens that were cut off each input; empty when nothing was


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankRequest:
    """Documents that one caller wants scored by how well they answer `query`."""

    id: str
    query: str
    documents: tuple[str, ...]
    model: str = ""  # as the caller wrote it; runners do not look at it
    truncate: bool = False  # cut documents so that query and document fit the context; else they are refused
    priority: Priority = Priority.NORMAL
    deadline_s: float | None = None  # counted where the request enters
    keep_alive: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reranked:
    """A score for each document, in their order: from 0, which does not answer the query, to 1."""

    scores: tuple[float, ...]
    tokens: tuple[int, ...]  # of each pair as the model read it
    cut: tuple[int, ...] = ()  # tokens that were cut off each document; empty when nothing was
