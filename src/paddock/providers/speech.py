"""Which dialect a provider is spoken to in: requests, answers and lists of models, one class a kind."""

import base64
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import msgspec

from paddock.catalog.facts import CONTEXT_WINDOW_DEFAULT
from paddock.dialects import anthropic_asking, ollama_asking, openai_asking
from paddock.dialects.anthropic_reading import MessageReading
from paddock.dialects.asking import OWN_FIELDS, Ask, Garbled, Reading, not_offered
from paddock.dialects.openai_reading import ChunkReading
from paddock.providers.definition import Kind, ProviderDefinition
from paddock.vocabulary import Capabilities, ChatRequest, Embedded, EmbedRequest, Reranked, RerankRequest

_T = TypeVar("_T")

TOKENS_MAX: Final = CONTEXT_WINDOW_DEFAULT  # of an Anthropic answer where nobody said
MODELS_MAX: Final = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class FarModel:
    """One model that a provider lists; None is what it does not tell."""

    name: str
    family: str | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: Capabilities | None = None


class Speech(Protocol):
    """How one kind of provider is spoken to."""

    def ask(self, request: ChatRequest, model: str) -> Ask:
        """Raises NotOffered for what cannot be said."""
        ...

    def reading(self, request: ChatRequest) -> Reading: ...

    def count(self, request: ChatRequest, model: str) -> Ask:
        """What asks for the length of a prompt. Raises NotOffered where nobody tells."""
        ...

    def counted(self, answer: bytes) -> int: ...

    def embed(self, request: EmbedRequest, model: str) -> Ask: ...

    def embedded(self, answer: bytes) -> Embedded: ...

    def rerank(self, request: RerankRequest, model: str) -> Ask:
        """Raises NotOffered where nobody scores."""
        ...

    def reranked(self, answer: bytes, documents: int) -> Reranked: ...

    @property
    def models_path(self) -> str: ...

    def models(self, answer: bytes) -> Sequence[FarModel]:
        """Raises Garbled for what is no list."""
        ...


def speech_of(definition: ProviderDefinition) -> Speech:
    """The one for a provider that is asked over HTTP."""
    # What the request itself says is nothing that options decide, wherever they come from.
    options = {name: value for name, value in definition.options.items() if name not in OWN_FIELDS}
    match definition.kind:
        case Kind.ANTHROPIC:
            return AnthropicSpeech(options)
        case Kind.OLLAMA:
            return OllamaSpeech(definition.options)  # they stand in a place of their own
        case _:
            return OpenAISpeech(options, strict=definition.strict)


class _OpenAIModel(msgspec.Struct):
    """OpenAI's fields, vLLM's `max_model_len`, and Paddock's own."""

    id: str
    max_model_len: int | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: Any = None


class _OpenAIModels(msgspec.Struct):
    data: list[_OpenAIModel]


class _Vector(msgspec.Struct):
    embedding: list[float] | str
    index: int = 0


class _VectorUsage(msgspec.Struct):
    prompt_tokens: int = 0


class _Vectors(msgspec.Struct):
    data: list[_Vector]
    usage: _VectorUsage | None = None


class _Score(msgspec.Struct):
    index: int
    relevance_score: float


class _RerankUsage(msgspec.Struct):
    total_tokens: int = 0


class _RerankTokens(msgspec.Struct):
    input_tokens: int = 0


class _RerankMeta(msgspec.Struct):
    tokens: _RerankTokens | None = None


class _Scores(msgspec.Struct):
    """What Jina's, Cohere's, vLLM's and Paddock's answers have in common; tokens are told in two places."""

    results: list[_Score]
    usage: _RerankUsage | None = None
    meta: _RerankMeta | None = None


class OpenAISpeech:
    """Implements Speech."""

    models_path = "/models"

    def __init__(self, options: Mapping[str, Any], *, strict: bool) -> None:
        self._options = options
        self._strict = strict

    def ask(self, request: ChatRequest, model: str) -> Ask:
        return openai_asking.ask_of(request, model=model, options=self._options, strict=self._strict)

    def reading(self, request: ChatRequest) -> Reading:
        return ChunkReading(request)

    def count(self, request: ChatRequest, model: str) -> Ask:
        raise not_offered("model", "This provider does not tell how long a prompt is.", "Ask a model of this machine.")

    def counted(self, answer: bytes) -> int:
        raise AssertionError("nothing was asked")

    def embed(self, request: EmbedRequest, model: str) -> Ask:
        inputs = [each if isinstance(each, str) else [*each] for each in request.inputs]
        body: dict[str, Any] = {"model": model, "input": inputs, "encoding_format": "base64"}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        return Ask(path="/embeddings", body={**body, **self._options})

    def embedded(self, answer: bytes) -> Embedded:
        told = _decoded(answer, _Vectors)
        rows = [_row(vector.embedding) for vector in sorted(told.data, key=lambda vector: vector.index)]
        return _embedded(rows, told.usage.prompt_tokens if told.usage else 0)

    def rerank(self, request: RerankRequest, model: str) -> Ask:
        if self._strict:
            raise not_offered("model", "OpenAI scores no documents.", "Ask a reranker of this machine, or elsewhere.")
        body: dict[str, Any] = {"model": model, "query": request.query, "documents": [*request.documents]}
        if request.truncate:
            body["truncate"] = True
        return Ask(path="/rerank", body={**body, **self._options})

    def reranked(self, answer: bytes, documents: int) -> Reranked:
        told = _decoded(answer, _Scores)
        scores = {one.index: one.relevance_score for one in told.results}
        if scores.keys() != set(range(documents)) or len(told.results) != documents:
            raise Garbled("it scores other documents than were sent")
        of_meta = told.meta.tokens.input_tokens if told.meta and told.meta.tokens else 0
        tokens = told.usage.total_tokens if told.usage else of_meta
        return Reranked(
            scores=tuple(scores[number] for number in range(documents)),
            tokens=(tokens, *([0] * (documents - 1))),
        )

    def models(self, answer: bytes) -> Sequence[FarModel]:
        return [
            FarModel(
                name=one.id,
                context_window=one.context_window or one.max_model_len,
                max_output_tokens=one.max_output_tokens,
                capabilities=_capabilities(one.capabilities),
            )
            for one in _decoded(answer, _OpenAIModels).data[:MODELS_MAX]
        ]


class _Counted(msgspec.Struct):
    input_tokens: int


class _AnthropicModel(msgspec.Struct):
    id: str
    max_input_tokens: int | None = None
    max_tokens: int | None = None


class _AnthropicModels(msgspec.Struct):
    data: list[_AnthropicModel]


class AnthropicSpeech:
    """Implements Speech."""

    models_path = "/v1/models?limit=1000"

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    def ask(self, request: ChatRequest, model: str) -> Ask:
        return anthropic_asking.ask_of(request, model=model, options=self._options, tokens_max=TOKENS_MAX)

    def reading(self, request: ChatRequest) -> Reading:
        return MessageReading(request)

    def count(self, request: ChatRequest, model: str) -> Ask:
        return anthropic_asking.count_ask_of(request, model=model)

    def counted(self, answer: bytes) -> int:
        return _decoded(answer, _Counted).input_tokens

    def embed(self, request: EmbedRequest, model: str) -> Ask:
        raise not_offered("model", "Anthropic makes no embeddings.", "Ask a model that does.")

    def embedded(self, answer: bytes) -> Embedded:
        raise AssertionError("nothing was asked")

    def rerank(self, request: RerankRequest, model: str) -> Ask:
        raise not_offered("model", "Anthropic scores no documents.", "Ask a reranker of this machine, or elsewhere.")

    def reranked(self, answer: bytes, documents: int) -> Reranked:
        raise AssertionError("nothing was asked")

    def models(self, answer: bytes) -> Sequence[FarModel]:
        able = Capabilities(vision=True, tools=True, thinking=True)  # as all of Anthropic's have been for years
        return [
            FarModel(
                name=one.id,
                family="claude",
                context_window=one.max_input_tokens,
                max_output_tokens=one.max_tokens,
                capabilities=able,
            )
            for one in _decoded(answer, _AnthropicModels).data[:MODELS_MAX]
        ]


class _Details(msgspec.Struct):
    family: str | None = None


class _OllamaModel(msgspec.Struct):
    name: str
    details: _Details | None = None


class _OllamaModels(msgspec.Struct):
    models: list[_OllamaModel]


class _OllamaVectors(msgspec.Struct):
    embeddings: list[list[float]]
    prompt_eval_count: int = 0


class OllamaSpeech:
    """Implements Speech."""

    models_path = "/api/tags"

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    def ask(self, request: ChatRequest, model: str) -> Ask:
        return ollama_asking.ask_of(request, model=model, options=self._options)

    def reading(self, request: ChatRequest) -> Reading:
        return ollama_asking.LineReading(request)

    def count(self, request: ChatRequest, model: str) -> Ask:
        raise not_offered("model", "Ollama does not tell how long a prompt is.", "Ask a model of this machine.")

    def counted(self, answer: bytes) -> int:
        raise AssertionError("nothing was asked")

    def embed(self, request: EmbedRequest, model: str) -> Ask:
        if any(not isinstance(each, str) for each in request.inputs):
            raise not_offered("input", "Ollama takes no inputs of tokens.", "Send texts.")
        body: dict[str, Any] = {"model": model, "input": [*request.inputs], "truncate": request.truncate}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        return Ask(path="/api/embed", body={**body, "options": dict(self._options)})

    def embedded(self, answer: bytes) -> Embedded:
        told = _decoded(answer, _OllamaVectors)
        return _embedded([struct.pack(f"<{len(row)}f", *row) for row in told.embeddings], told.prompt_eval_count)

    def rerank(self, request: RerankRequest, model: str) -> Ask:
        raise not_offered("model", "Ollama scores no documents.", "Ask a reranker of this machine, or elsewhere.")

    def reranked(self, answer: bytes, documents: int) -> Reranked:
        raise AssertionError("nothing was asked")

    def models(self, answer: bytes) -> Sequence[FarModel]:
        return [
            FarModel(name=one.name, family=one.details.family if one.details else None)
            for one in _decoded(answer, _OllamaModels).models[:MODELS_MAX]
        ]


def _decoded(answer: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(answer, type=kind, strict=False)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Garbled("a document of another kind") from error


def _capabilities(given: Any) -> Capabilities | None:
    """Paddock's own form; others mean something else by the word."""
    if given is None:
        return None
    try:
        return msgspec.convert(given, Capabilities)
    except msgspec.ValidationError:
        return None


def _row(given: list[float] | str) -> bytes:
    if isinstance(given, str):
        try:
            return base64.b64decode(given, validate=True)
        except ValueError as error:
            raise Garbled("a vector that is no base64") from error
    return struct.pack(f"<{len(given)}f", *given)


def _embedded(rows: Sequence[bytes], tokens: int) -> Embedded:
    """Tokens are told of all inputs together: the first one has them."""
    sizes = {len(row) for row in rows}
    if len(sizes) > 1 or any(size % 4 for size in sizes):
        raise Garbled("vectors of several lengths")
    return Embedded(
        vectors=b"".join(rows),
        dimensions=next(iter(sizes), 0) // 4,
        tokens=tuple(tokens if number == 0 else 0 for number in range(len(rows))),
    )
