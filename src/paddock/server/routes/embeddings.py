"""`/v1/embeddings`, and `/v1/rerank`, which newer clients of Cohere call `/v2/rerank`."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from paddock.dialects.openai_embeddings import EmbeddingFields, EmbeddingList, parse_embeddings, write_embeddings
from paddock.dialects.rerank import RerankAnswer, RerankFields, parse_rerank, write_rerank
from paddock.server import embedding
from paddock.server.answering import JSON
from paddock.server.asking import asking_of
from paddock.server.openai_schemas import documented
from paddock.server.rooms import ServerRooms


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(tags=["openai"])

    @routes.post("/v1/embeddings", response_class=Response, **documented(EmbeddingFields, EmbeddingList))
    async def embeddings(request: Request) -> Response:
        """A vector of each input; texts of like meaning have vectors that point the same way."""
        asking = asking_of(request)
        asked = parse_embeddings(await request.body(), request_id=asking.id, inputs_max=rooms.config.server.inputs_max)
        told = await embedding.vectors(rooms, asking, request, asked.request)
        body = write_embeddings(told.embedded, told.accepted.model, base64=asked.base64)
        return Response(body, media_type=JSON, headers=embedding.headers(told, asked.ignored))

    @routes.post("/v1/rerank", response_class=Response, **documented(RerankFields, RerankAnswer))
    async def rerank(request: Request) -> Response:
        """Documents by how well they answer a query, the best first. Jina's and Cohere's clients read the answer."""
        return await ranked(request, version="1")

    @routes.post("/v2/rerank", response_class=Response, **documented(RerankFields, RerankAnswer))
    async def rerank_v2(request: Request) -> Response:
        """The same, where Cohere's newer clients ask for it."""
        return await ranked(request, version="2")

    async def ranked(request: Request, *, version: str) -> Response:
        asking = asking_of(request)
        asked = parse_rerank(await request.body(), request_id=asking.id, inputs_max=rooms.config.server.inputs_max)
        told = await embedding.scores(rooms, asking, request, asked.request)
        body = write_rerank(asked, told.reranked, told.accepted.model, version=version)
        return Response(body, media_type=JSON, headers=embedding.headers(told, asked.ignored))

    return routes
