"""The objects of OpenAI's API as they go out, and the one encoder that writes them."""

from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

DONE: Final = b"data: [DONE]\n\n"

FinishWord = Literal["stop", "length", "tool_calls"]


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """A field that is UNSET is left out; one that is None is `null`."""


class TopLogprob(Wire, frozen=True, kw_only=True):
    token: str
    bytes: list[int]
    logprob: float


class TokenLogprobs(Wire, frozen=True, kw_only=True):
    token: str
    bytes: list[int]
    logprob: float
    top_logprobs: list[TopLogprob]


class ChoiceLogprobs(Wire, frozen=True, kw_only=True):
    content: list[TokenLogprobs]
    refusal: None = None


class PromptDetails(Wire, frozen=True, kw_only=True):
    cached_tokens: int
    audio_tokens: int = 0


class CompletionDetails(Wire, frozen=True, kw_only=True):
    accepted_prediction_tokens: int
    rejected_prediction_tokens: int
    reasoning_tokens: int = 0
    audio_tokens: int = 0


class CompletionUsage(Wire, frozen=True, kw_only=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails


class CalledFunction(Wire, frozen=True, kw_only=True):
    name: str
    arguments: str


class CallOut(Wire, frozen=True, kw_only=True):
    id: str
    function: CalledFunction
    type: Literal["function"] = "function"


class ChatMessageOut(Wire, frozen=True, kw_only=True):
    """`reasoning_content` is not OpenAI's: what servers of open models call a thought."""

    content: str | None
    tool_calls: list[CallOut] | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    role: Literal["assistant"] = "assistant"
    refusal: None = None


class ChatChoice(Wire, frozen=True, kw_only=True):
    index: int
    message: ChatMessageOut
    finish_reason: FinishWord
    logprobs: ChoiceLogprobs | None = None


class ChatCompletion(Wire, frozen=True, kw_only=True):
    id: str
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: CompletionUsage
    object: Literal["chat.completion"] = "chat.completion"
    service_tier: str | UnsetType = UNSET
    metadata: dict[str, str] | UnsetType = UNSET


class FunctionDelta(Wire, frozen=True, kw_only=True):
    name: str | UnsetType = UNSET
    arguments: str = ""


class CallDelta(Wire, frozen=True, kw_only=True):
    """More of a call; only the first has its id, type and name."""

    index: int
    function: FunctionDelta
    id: str | UnsetType = UNSET
    type: Literal["function"] | UnsetType = UNSET


class Delta(Wire, frozen=True, kw_only=True):
    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[CallDelta] | UnsetType = UNSET


class ChunkChoice(Wire, frozen=True, kw_only=True):
    index: int
    delta: Delta
    finish_reason: FinishWord | None = None
    logprobs: ChoiceLogprobs | None = None


class ChatChunk(Wire, frozen=True, kw_only=True):
    id: str
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChunkChoice]
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    service_tier: str | UnsetType = UNSET
    usage: CompletionUsage | UnsetType | None = UNSET


class TextLogprobs(Wire, frozen=True, kw_only=True):
    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]] | None
    text_offset: list[int]


class TextChoice(Wire, frozen=True, kw_only=True):
    index: int
    text: str
    finish_reason: FinishWord | None
    logprobs: TextLogprobs | None = None


class TextCompletion(Wire, frozen=True, kw_only=True):
    """The same for a whole answer and for a chunk."""

    id: str
    created: int
    model: str
    system_fingerprint: str
    choices: list[TextChoice]
    object: Literal["text_completion"] = "text_completion"
    usage: CompletionUsage | UnsetType | None = UNSET


class ModelCapabilities(Wire, frozen=True, kw_only=True):
    text: bool
    vision: bool
    embeddings: bool
    tools: bool
    streaming: bool
    thinking: bool


class Model(Wire, frozen=True, kw_only=True):
    """OpenAI's fields, and what people want to know before they choose."""

    id: str
    created: int
    owned_by: str
    context_window: int
    max_output_tokens: int
    capabilities: ModelCapabilities
    loaded: bool
    object: Literal["model"] = "model"
    alias_of: str | UnsetType = UNSET


class ModelList(Wire, frozen=True, kw_only=True):
    data: list[Model]
    object: Literal["list"] = "list"


encode: Final = msgspec.json.Encoder().encode


def event(chunk: ChatChunk | TextCompletion) -> bytes:
    """One server-sent event."""
    return b"data: %b\n\n" % encode(chunk)
