"""`/api/embed` and `/api/embeddings`, from bytes to a request and from vectors to bytes."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from paddock.dialects.embedding_floats import number_lists
from paddock.dialects.embedding_inputs import inputs_of
from paddock.dialects.ollama_fields import OPTIONS_MAX, KeepAlive, keep_alive_of
from paddock.dialects.ollama_wire import Wire, encode
from paddock.dialects.openai_fields import INT32_MAX, Fields, parse, read_object, unknown_names
from paddock.vocabulary import Embedded, EmbedRequest

_SECOND_NS = 1_000_000_000


class _CommonFields(Fields):
    model: str = Field(description="A name, an alias or a unique short name; `:latest` may be left out.")
    keep_alive: KeepAlive | None = Field(
        default=None, description="How long the model stays in memory: `10m`, seconds; -1 is forever, 0 not at all."
    )
    options: Annotated[dict[str, Any], Field(max_length=OPTIONS_MAX)] = Field(
        default_factory=dict[str, Any], description="Taken; none of them changes a vector."
    )


class EmbedFields(_CommonFields):
    """The body of `/api/embed`."""

    input: Any = Field(default=None, description="A text or several; without any, the model is only loaded.")
    truncate: bool = Field(default=True, description="Cut inputs that are too long; else they are refused.")
    dimensions: int | None = Field(
        default=None, ge=1, le=INT32_MAX, description="Shorter vectors, of models that were trained for them."
    )


class EmbeddingsFields(_CommonFields):
    """The body of `/api/embeddings`, the older of the two."""

    prompt: str = Field(default="", description="The text; without one, the model is only loaded.")


class EmbedAnswer(Wire, frozen=True, kw_only=True):
    """`/api/embed`. Durations are in nanoseconds."""

    model: str
    embeddings: list[list[float]]
    total_duration: int
    load_duration: int
    prompt_eval_count: int


class EmbeddingsAnswer(Wire, frozen=True, kw_only=True):
    """`/api/embeddings`."""

    embedding: list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedVectors:
    """One HTTP request, understood. Without inputs the model is only to be loaded."""

    request: EmbedRequest
    ignored: tuple[str, ...]


def parse_embed(body: bytes, *, request_id: str, inputs_max: int) -> AskedVectors:
    """What `/api/embed` is asked for. Raises UsageError."""
    given = read_object(body)
    fields = parse(EmbedFields, given)
    nothing = fields.input in (None, "", [])
    request = EmbedRequest(
        id=request_id,
        model=fields.model,
        inputs=() if nothing else inputs_of(fields.input, inputs_max=inputs_max, tokens=False),
        truncate=fields.truncate,
        dimensions=fields.dimensions,
        keep_alive=keep_alive_of(fields.keep_alive),
    )
    return AskedVectors(request=request, ignored=(*unknown_names(EmbedFields, given), *_passed(fields)))


def parse_embeddings(body: bytes, *, request_id: str) -> AskedVectors:
    """What `/api/embeddings` is asked for. Raises UsageError."""
    given = read_object(body)
    fields = parse(EmbeddingsFields, given)
    request = EmbedRequest(
        id=request_id,
        model=fields.model,
        inputs=(fields.prompt,) if fields.prompt else (),
        truncate=True,
        keep_alive=keep_alive_of(fields.keep_alive),
    )
    return AskedVectors(request=request, ignored=(*unknown_names(EmbeddingsFields, given), *_passed(fields)))


def write_embed(embedded: Embedded, model: str, *, took_s: float, loading_s: float) -> bytes:
    """The answer of `/api/embed`; `model` as it was asked for."""
    answer = EmbedAnswer(
        model=model,
        embeddings=[*number_lists(embedded)],
        total_duration=int(took_s * _SECOND_NS),
        load_duration=int(loading_s * _SECOND_NS),
        prompt_eval_count=sum(embedded.tokens),
    )
    return encode(answer)


def write_embeddings(embedded: Embedded) -> bytes:
    """The answer of `/api/embeddings`."""
    vectors = [*number_lists(embedded)]
    return encode(EmbeddingsAnswer(embedding=vectors[0] if vectors else []))


def _passed(fields: _CommonFields) -> tuple[str, ...]:
    return tuple(f"options.{name}" for name in fields.options)
