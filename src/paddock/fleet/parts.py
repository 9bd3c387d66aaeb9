"""Large batches in parts, so that no frame grows beyond what the wire carries and no request fills a runner's queue."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from paddock.vocabulary import Embedded, EmbedRequest, Reranked, RerankRequest

_INPUTS_MAX: Final = 256  # vectors of 16,384 numbers then take half a frame
_BYTES_MAX: Final = 8 * 1024 * 1024
_CHARACTER_BYTES: Final = 4  # at the most, in UTF-8
_TOKEN_BYTES: Final = 5  # at the most, in msgpack


def embed_parts(request: EmbedRequest) -> Sequence[EmbedRequest]:
    """`request` as one or more that fit the wire, in order."""
    if not request.inputs:
        return (request,)
    return [replace(request, inputs=request.inputs[first:end]) for first, end in _ranges(request.inputs)]


def rerank_parts(request: RerankRequest) -> Sequence[RerankRequest]:
    """`request` as one or more that fit the wire, in order."""
    if not request.documents:
        return (request,)
    return [replace(request, documents=request.documents[first:end]) for first, end in _ranges(request.documents)]


def joined_vectors(parts: Sequence[Embedded]) -> Embedded:
    """The answers to all parts as one."""
    return Embedded(
        vectors=b"".join(part.vectors for part in parts),
        dimensions=parts[0].dimensions,
        tokens=tuple(count for part in parts for count in part.tokens),
        cut=_cut(parts),
    )


def joined_scores(parts: Sequence[Reranked]) -> Reranked:
    """The answers to all parts as one."""
    return Reranked(
        scores=tuple(score for part in parts for score in part.scores),
        tokens=tuple(count for part in parts for count in part.tokens),
        cut=_cut(parts),
    )


def _cut(parts: Sequence[Embedded | Reranked]) -> tuple[int, ...]:
    if not any(part.cut for part in parts):
        return ()
    return tuple(count for part in parts for count in part.cut or (0,) * len(part.tokens))


def _ranges(inputs: Sequence[str | tuple[int, ...]]) -> Iterator[tuple[int, int]]:
    first, taken = 0, 0
    for number, each in enumerate(inputs):
        size = len(each) * (_CHARACTER_BYTES if isinstance(each, str) else _TOKEN_BYTES)
        if number > first and (number - first >= _INPUTS_MAX or taken + size > _BYTES_MAX):
            yield first, number
            first, taken = number, 0
        taken += size
    yield first, len(inputs)
