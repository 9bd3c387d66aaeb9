"""OpenAI's API: `/v1/chat/completions`, `/v1/completions`, `/v1/models`."""

from collections.abc import Callable
from typing import Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from paddock.dialects.anthropic_models import PageFields
from paddock.dialects.openai_answers import AnswerHead, ChatRenderer, CompletionRenderer, Renderer
from paddock.dialects.openai_asked import Asked
from paddock.dialects.openai_chat import ChatFields, parse_chat
from paddock.dialects.openai_completion import CompletionFields, parse_completion
from paddock.dialects.openai_fields import parse
from paddock.dialects.openai_wire import ChatCompletion, Model, ModelList, TextCompletion, encode
from paddock.errors import PaddockError
from paddock.providers.provider import Accepted
from paddock.server import anthropic_models
from paddock.server.allowing import check_model
from paddock.server.answering import JSON, Answering, Wanted
from paddock.server.asking import Asking, asking_of
from paddock.server.openai_models import all_models, one_model
from paddock.server.openai_schemas import documented
from paddock.server.problems import openai_error
from paddock.server.rooms import ServerRooms

# Both APIs have this address; only one of them has clients that send this header.
_ANTHROPIC: Final = "anthropic-version"

Render = Callable[[Asked, AnswerHead], Renderer]


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["openai"])

    @routes.post(
        "/chat/completions",
        response_class=Response,
        **documented(ChatFields, ChatCompletion, stream="Chunks of the answer, then `[DONE]`."),
    )
    async def chat_completions(request: Request) -> Response:
        """The next message of a conversation."""
        asking = asking_of(request)
        asked = parse_chat(
            await request.body(),
            request_id=asking.id,
            tenant=asking.user,
            default_model=rooms.config.model.default,
        )
        return await _answering(rooms, asked, asking, ChatRenderer).respond(request)

    @routes.post(
        "/completions",
        response_class=Response,
        **documented(CompletionFields, TextCompletion, stream="Chunks of the answer, then `[DONE]`."),
    )
    async def completions(request: Request) -> Response:
        """How a text goes on."""
        asking = asking_of(request)
        asked = parse_completion(await request.body(), request_id=asking.id, tenant=asking.user)
        return await _answering(rooms, asked, asking, CompletionRenderer).respond(request)

    @routes.get("/models", response_class=Response, **documented(None, ModelList))
    async def models(request: Request) -> Response:
        """Every model that the key may use, under each of its names. With `anthropic-version` in Anthropic's words."""
        caller = asking_of(request).caller
        if _ANTHROPIC in request.headers:
            page = parse(PageFields, dict(request.query_params))
            return Response(encode(await anthropic_models.models_page(rooms, caller, page)), media_type=JSON)
        return Response(encode(await all_models(rooms, caller)), media_type=JSON)

    @routes.get("/models/{name:path}", response_class=Response, **documented(None, Model))
    async def model(request: Request, name: str) -> Response:
        """One of them. With `anthropic-version` in Anthropic's words."""
        await check_model(rooms, asking_of(request), name)
        if _ANTHROPIC in request.headers:
            return Response(encode(await anthropic_models.one_model(rooms, name)), media_type=JSON)
        return Response(encode(await one_model(rooms, name)), media_type=JSON)

    return routes


def _answering(rooms: ServerRooms, asked: Asked, asking: Asking, render: Render) -> Answering:
    def renderer(accepted: Accepted) -> Renderer:
        created = int(rooms.now().timestamp())
        return render(asked, AnswerHead(created=created, model=accepted.model, fingerprint=accepted.fingerprint))

    wanted = Wanted(
        requests=asked.requests,
        stream=asked.stream,
        prompt_field=asked.prompt_field,
        renderer=renderer,
        failure=_error_event,
        ignored=asked.ignored,
    )
    return Answering(rooms, wanted, asking)


def _error_event(error: PaddockError) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(openai_error(error))
