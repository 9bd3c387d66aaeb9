"""Ollama's `/api/embed` and `/api/embeddings`."""

from dataclasses import replace

from fastapi import APIRouter, Request
from starlette.responses import Response

from paddock.dialects.ollama_embed import (
    AskedVectors,
    EmbedAnswer,
    EmbeddingsAnswer,
    EmbeddingsFields,
    EmbedFields,
    parse_embed,
    parse_embeddings,
    write_embed,
    write_embeddings,
)
from paddock.providers.provider import Vectors
from paddock.server import embedding
from paddock.server.answering import JSON
from paddock.server.asking import asking_of
from paddock.server.ollama_models import known_name
from paddock.server.openai_schemas import described
from paddock.server.rooms import ServerRooms


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["ollama"])

    @routes.post("/embed", response_class=Response, **described(EmbedFields, EmbedAnswer))
    async def embed(request: Request) -> Response:
        """A vector of each text. What is too long is cut, as Ollama does, and a header says so."""
        began = rooms.clock()
        asked = parse_embed(
            await request.body(), request_id=asking_of(request).id, inputs_max=rooms.config.server.inputs_max
        )
        told = await _vectors(rooms, request, asked)
        held = rooms.pool.status().models.get(told.accepted.model)
        loaded_at = began if held is None or held.loaded_at is None else held.loaded_at
        body = write_embed(
            told.embedded,
            asked.request.model,
            took_s=rooms.clock() - began,
            loading_s=max(0.0, loaded_at - began),
        )
        return Response(body, media_type=JSON, headers=embedding.headers(told, asked.ignored))

    @routes.post("/embeddings", response_class=Response, **described(EmbeddingsFields, EmbeddingsAnswer))
    async def embeddings(request: Request) -> Response:
        """The vector of one text, the older way."""
        asked = parse_embeddings(await request.body(), request_id=asking_of(request).id)
        told = await _vectors(rooms, request, asked)
        return Response(
            write_embeddings(told.embedded), media_type=JSON, headers=embedding.headers(told, asked.ignored)
        )

    return routes


async def _vectors(rooms: ServerRooms, request: Request, asked: AskedVectors) -> Vectors:
    named = replace(asked.request, model=await known_name(rooms, asked.request.model))
    return await embedding.vectors(rooms, asking_of(request), request, named)
