"""`/v1/rerank`, in the shape that Jina's and Cohere's clients have in common."""

from dataclasses import dataclass
from typing import Any, Literal

from msgspec import UNSET, UnsetType
from pydantic import Field

from paddock.dialects.embedding_inputs import documents_of
from paddock.dialects.openai_fields import INT32_MAX, parse, read_object, unknown_names, wrong
from paddock.dialects.openai_sampling import ServiceFields, keep_alive_of, priority_of
from paddock.dialects.openai_wire import Wire, encode
from paddock.vocabulary import Reranked, RerankRequest


class RerankFields(ServiceFields):
    """The body of a rerank request."""

    model: str = Field(description="A reranker: a name, an alias or a unique short name.")
    query: str = Field(description="What the documents are to answer.")
    documents: Any = Field(description="Texts, or objects that have one as `text`.")
    top_n: int | None = Field(default=None, ge=1, le=INT32_MAX, description="Only so many of the best.")
    return_documents: bool = Field(default=True, description="Give the text back with each result.")
    truncate: bool = Field(default=False, description="Cut documents that are too long; else they are refused.")


class Document(Wire, frozen=True, kw_only=True):
    text: str


class RerankResult(Wire, frozen=True, kw_only=True):
    index: int  # of the document, as it was sent
    relevance_score: float
    document: Document | UnsetType = UNSET


class RerankUsage(Wire, frozen=True, kw_only=True):
    prompt_tokens: int
    total_tokens: int
    truncated_tokens: int | UnsetType = UNSET


class ApiVersion(Wire, frozen=True, kw_only=True):
    version: str = "1"


class BilledUnits(Wire, frozen=True, kw_only=True):
    search_units: int = 0


class Meta(Wire, frozen=True, kw_only=True):
    """Cohere's."""

    api_version: ApiVersion
    billed_units: BilledUnits


class RerankAnswer(Wire, frozen=True, kw_only=True):
    id: str
    model: str
    results: list[RerankResult]  # the best first
    usage: RerankUsage
    meta: Meta
    object: Literal["list"] = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedScores:
    """One HTTP request, understood."""

    request: RerankRequest
    top_n: int | None
    return_documents: bool
    ignored: tuple[str, ...]


def parse_rerank(body: bytes, *, request_id: str, inputs_max: int) -> AskedScores:
    """What `body` asks for. Raises UsageError that names the field, the rule and the remedy."""
    given = read_object(body)
    fields = parse(RerankFields, given)
    if not fields.query:
        raise wrong("query", "`query` is an empty text.", "Send what the documents are to answer.")
    request = RerankRequest(
        id=request_id,
        model=fields.model,
        query=fields.query,
        documents=documents_of(fields.documents, inputs_max=inputs_max),
        truncate=fields.truncate,
        priority=priority_of(fields),
        keep_alive=keep_alive_of(fields),
    )
    return AskedScores(
        request=request,
        top_n=fields.top_n,
        return_documents=fields.return_documents,
        ignored=unknown_names(RerankFields, given),
    )


def write_rerank(asked: AskedScores, reranked: Reranked, model: str, *, version: str = "1") -> bytes:
    """The answer, the best document first; of equal ones the earlier. `version`: of Cohere's API."""
    best = sorted(range(len(reranked.scores)), key=lambda number: (-reranked.scores[number], number))
    results = [
        RerankResult(
            index=number,
            relevance_score=reranked.scores[number],
            document=Document(text=asked.request.documents[number]) if asked.return_documents else UNSET,
        )
        for number in best[: asked.top_n]
    ]
    tokens = sum(reranked.tokens)
    return encode(
        RerankAnswer(
            id=asked.request.id,
            model=model,
            results=results,
            usage=RerankUsage(
                prompt_tokens=tokens, total_tokens=tokens, truncated_tokens=sum(reranked.cut) if reranked.cut else UNSET
            ),
            meta=Meta(api_version=ApiVersion(version=version), billed_units=BilledUnits()),
        )
    )
