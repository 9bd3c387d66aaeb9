"""Anthropic's API: `/v1/messages`, `/v1/messages/count_tokens`.

Headers that name a beta are passed over: what a beta adds to a request is taken or refused by its own name.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from paddock.dialects.anthropic_answers import MessageRenderer
from paddock.dialects.anthropic_messages import VERSIONS, CountFields, MessageFields, parse_count, parse_message
from paddock.dialects.anthropic_wire import PING, Message, TokenCount, encode
from paddock.errors import PaddockError, UsageError
from paddock.providers.provider import Accepted
from paddock.server.allowing import check_model
from paddock.server.answering import JSON, Answering, Wanted, ignored_header
from paddock.server.asking import asking_of, is_from_here
from paddock.server.openai_schemas import described
from paddock.server.problems import anthropic_error
from paddock.server.recording import record_asked
from paddock.server.rooms import ServerRooms
from paddock.server.streaming import Framing, end, unless_left, watch_client

_EVENTS: Final = Framing(media_type="text/event-stream", comment=PING)


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/v1/messages", tags=["anthropic"])

    @routes.post(
        "",
        response_class=Response,
        **described(MessageFields, Message, events="`message_start`, blocks, `message_delta`, `message_stop`."),
    )
    async def messages(request: Request) -> Response:
        """The next message of a conversation."""
        _check_version(request)
        asking = asking_of(request)
        asked = parse_message(
            await request.body(),
            request_id=asking.id,
            tenant=asking.user,
            default_model=rooms.config.model.default,
        )

        def renderer(accepted: Accepted) -> MessageRenderer:
            return MessageRenderer(asked, accepted.model)

        def failure(error: PaddockError) -> bytes:
            return b"event: error\ndata: %b\n\n" % msgspec.json.encode(anthropic_error(error, request_id=asking.id))

        wanted = Wanted(
            requests=(asked.request,),
            stream=asked.stream,
            prompt_field="messages",
            renderer=renderer,
            failure=failure,
            ignored=asked.ignored,
            framing=_EVENTS,
            anthropic=True,
        )
        response = await Answering(rooms, wanted, asking).respond(request)
        response.headers.update(_identified(asking.id))
        return response

    @routes.post("/count_tokens", response_class=Response, **described(CountFields, TokenCount))
    async def count_tokens(request: Request) -> Response:
        """How many tokens a conversation would be read as. The model is loaded for it."""
        _check_version(request)
        asking = asking_of(request)
        asked, ignored = parse_count(
            await request.body(),
            request_id=asking.id,
            tenant=asking.user,
            default_model=rooms.config.model.default,
        )
        default, audit = rooms.config.model.default, rooms.in_force.config.audit
        record_asked(asking.record, (asked,), default=default, audit=audit)
        await check_model(rooms, asking, asked.model)
        leaving = watch_client(request.receive)
        try:
            asked = replace(asked, from_here=is_from_here(request))
            tokens = await unless_left(rooms.provider.count(asked), leaving)
        finally:
            await end(leaving)
        headers = {**_identified(asking.id), **ignored_header(ignored)}
        return Response(encode(TokenCount(input_tokens=tokens)), media_type=JSON, headers=headers)

    return routes


def _identified(request_id: str) -> Mapping[str, str]:
    """Where Anthropic's clients look for the id of a request."""
    return {"request-id": request_id}


def _check_version(request: Request) -> None:
    """Raises UsageError for a version that nobody here speaks. Plain HTTP clients may leave it out."""
    version = request.headers.get("anthropic-version")
    if version is not None and version not in VERSIONS:
        raise UsageError(
            f"`anthropic-version: {version[:40]}` is not spoken here.",
            hint=f"Send `anthropic-version: {VERSIONS[0]}`.",
            param="anthropic-version",
        )
