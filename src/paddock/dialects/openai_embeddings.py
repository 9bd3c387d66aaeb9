"""`/v1/embeddings`, from bytes to a request and from vectors to bytes."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from msgspec import UNSET, UnsetType
from pydantic import Field

from paddock.dialects.embedding_floats import base64_texts, number_lists
from paddock.dialects.embedding_inputs import inputs_of
from paddock.dialects.openai_fields import INT32_MAX, parse, read_object, unknown_names
from paddock.dialects.openai_sampling import ServiceFields, keep_alive_of, priority_of
from paddock.dialects.openai_wire import Wire, encode
from paddock.vocabulary import Embedded, EmbedRequest

_TYPE_CHARACTERS_MAX: Final = 64


class EmbeddingFields(ServiceFields):
    """The body of an embedding request."""

    model: str = Field(description="A name, an alias or a unique short name.")
    input: Any = Field(description="A text, a list of texts, a list of token ids, or a list of such lists.")
    encoding_format: Literal["float", "base64"] = Field(
        default="float", description="`base64`: float32 in little-endian order, a third of the size."
    )
    dimensions: int | None = Field(
        default=None, ge=1, le=INT32_MAX, description="Shorter vectors, of models that were trained for them."
    )
    truncate: bool = Field(
        default=False, description="Cut inputs that are too long; else they are refused. Usage says what was cut."
    )
    input_type: str | None = Field(
        default=None,
        max_length=_TYPE_CHARACTERS_MAX,
        description="What the texts are: `query`, `document`, or another prompt that the model names.",
    )


class Embedding(Wire, frozen=True, kw_only=True):
    index: int
    embedding: list[float] | str
    tokens: int  # of this input as the model read it
    object: Literal["embedding"] = "embedding"


class EmbeddingUsage(Wire, frozen=True, kw_only=True):
    prompt_tokens: int
    total_tokens: int
    truncated_tokens: int | UnsetType = UNSET  # that were cut off, when any were


class EmbeddingList(Wire, frozen=True, kw_only=True):
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
    object: Literal["list"] = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedVectors:
    """One HTTP request, understood."""

    request: EmbedRequest
    base64: bool
    ignored: tuple[str, ...]


def parse_embeddings(body: bytes, *, request_id: str, inputs_max: int) -> AskedVectors:
    """What `body` asks for. Raises UsageError that names the field, the rule and the remedy."""
    given = read_object(body)
    fields = parse(EmbeddingFields, given)
    request = EmbedRequest(
        id=request_id,
        model=fields.model,
        inputs=inputs_of(fields.input, inputs_max=inputs_max),
        dimensions=fields.dimensions,
        truncate=fields.truncate,
        input_type=fields.input_type,
        priority=priority_of(fields),
        keep_alive=keep_alive_of(fields),
    )
    return AskedVectors(
        request=request, base64=fields.encoding_format == "base64", ignored=unknown_names(EmbeddingFields, given)
    )


def write_embeddings(embedded: Embedded, model: str, *, base64: bool) -> bytes:
    """The answer."""
    rows = base64_texts(embedded) if base64 else number_lists(embedded)
    tokens = sum(embedded.tokens)
    usage = EmbeddingUsage(
        prompt_tokens=tokens, total_tokens=tokens, truncated_tokens=sum(embedded.cut) if embedded.cut else UNSET
    )
    data = [
        Embedding(index=number, embedding=row, tokens=count)
        for number, (row, count) in enumerate(zip(rows, embedded.tokens, strict=True))
    ]
    return encode(EmbeddingList(data=data, model=model, usage=usage))
