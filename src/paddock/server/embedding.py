"""Vectors and scores for whoever asks over HTTP: the work ends when its client leaves, and headers say who did it."""

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi import Request

from paddock.dialects.embedding_inputs import cut_inputs
from paddock.providers.provider import Scores, Vectors
from paddock.server.allowing import check_model
from paddock.server.answering import ignored_header
from paddock.server.asking import Asking
from paddock.server.recording import record_accepted, record_model
from paddock.server.rooms import ServerRooms
from paddock.server.streaming import end, unless_left, watch_client
from paddock.vocabulary import EmbedRequest, RerankRequest

Result = TypeVar("Result")


async def vectors(rooms: ServerRooms, asking: Asking, request: Request, asked: EmbedRequest) -> Vectors:
    """What the provider answers. Raises what keeps it from that, and ClientLeft."""
    await _begin(rooms, asking, asked, list(asked.inputs))
    told = await _while_there(rooms, request, rooms.provider.embed(asked))
    asking.meter.answering(told.accepted.model)
    record_accepted(asking.record, told.accepted)
    asking.meter.prompt(sum(told.embedded.tokens))
    return told


async def scores(rooms: ServerRooms, asking: Asking, request: Request, asked: RerankRequest) -> Scores:
    """Likewise."""
    await _begin(rooms, asking, asked, [asked.query, *asked.documents])
    told = await _while_there(rooms, request, rooms.provider.rerank(asked))
    asking.meter.answering(told.accepted.model)
    record_accepted(asking.record, told.accepted)
    asking.meter.prompt(sum(told.reranked.tokens))
    return told


async def _begin(
    rooms: ServerRooms, asking: Asking, asked: EmbedRequest | RerankRequest, texts: Sequence[object]
) -> None:
    """Write down what is asked of which model, and see that it may be. Raises ModelNotAllowed."""
    record_model(asking.record, asked.model or rooms.config.model.default, texts, audit=rooms.in_force.config.audit)
    await check_model(rooms, asking, asked.model)


def headers(told: Vectors | Scores, ignored: Sequence[str]) -> Mapping[str, str]:
    """Who answered, what was passed over, and how many inputs lost their ends."""
    answered = told.embedded if isinstance(told, Vectors) else told.reranked
    cut = cut_inputs(answered)
    shown = {
        "x-paddock-model": quote(told.accepted.model, safe="/:@+ "),
        "x-paddock-provider": told.accepted.provider,
        "x-paddock-route": told.accepted.route,
        **ignored_header(ignored),
    }
    return {**shown, "x-paddock-truncated": f"{cut} inputs, {sum(answered.cut)} tokens"} if cut else shown


async def _while_there(rooms: ServerRooms, request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    leaving = watch_client(request.receive)
    try:
        return await unless_left(work, leaving, cut=rooms.life.cut)
    finally:
        await end(leaving)
