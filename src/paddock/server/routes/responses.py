"""OpenAI's newer API: `/v1/responses`, and what was kept of them."""

import secrets
from typing import Final, cast

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from paddock.dialects.openai_fields import parse, wrong
from paddock.dialects.openai_wire import encode
from paddock.dialects.responses_answers import ResponseRenderer, response_id
from paddock.dialects.responses_fields import ResponseFields, read_response
from paddock.dialects.responses_items import Item, Reading, key_in
from paddock.dialects.responses_listing import ListingFields, listed
from paddock.dialects.responses_request import AskedResponse, understood
from paddock.dialects.responses_wire import Deleted, InputTokens, ItemList, ResponseObject
from paddock.errors import PaddockError, PreviousResponseNotFound, ResponseNotFound
from paddock.library.kept_responses import KeptResponse
from paddock.providers.provider import Accepted
from paddock.server.allowing import check_model
from paddock.server.answering import JSON, Answering, Wanted, ignored_header
from paddock.server.asking import Asking, asking_of
from paddock.server.openai_schemas import documented
from paddock.server.rooms import ServerRooms

_KEY_BYTES: Final = 24
_REFERENCE: Final = "item_reference"


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/v1/responses", tags=["openai"])

    @routes.post(
        "",
        response_class=Response,
        **documented(ResponseFields, ResponseObject, stream="Numbered events, `response.completed` the last."),
    )
    async def respond(request: Request) -> Response:
        """The next items of a conversation."""
        asking = asking_of(request)
        asked = await _asked(rooms, await request.body(), asking)
        return await _answering(rooms, asked, asking).respond(request)

    @routes.post("/input_tokens", response_class=Response, **documented(ResponseFields, InputTokens))
    async def input_tokens(request: Request) -> Response:
        """How many tokens the input of such a request has."""
        asked = await _asked(rooms, await request.body(), asking_of(request))
        await check_model(rooms, asking_of(request), asked.request.model)
        tokens = await rooms.provider.count(asked.request)
        return _json(encode(InputTokens(input_tokens=tokens)), asked.ignored)

    @routes.get("/{response_id}", response_class=Response, **documented(None, ResponseObject))
    async def retrieve(request: Request, response_id: str) -> Response:
        """A response that was kept."""
        if request.query_params.get("stream", "false") != "false":
            raise wrong("stream", "A kept response is not streamed again.", "Leave `stream` out.")
        return _json(encode((await _kept(rooms, request, response_id)).document))

    @routes.delete("/{response_id}", response_class=Response, **documented(None, Deleted))
    async def forget(request: Request, response_id: str) -> Response:
        """Keep it no longer. Those that went on from it stay."""
        if not await rooms.library.responses.delete(response_id, tenant=asking_of(request).user):
            raise _unknown(response_id)
        return _json(encode(Deleted(id=response_id)))

    @routes.post("/{response_id}/cancel", response_class=Response, **documented(None, ResponseObject))
    async def cancel(request: Request, response_id: str) -> Response:
        """Nothing is made in the background here: whoever leaves has cancelled."""
        await _kept(rooms, request, response_id)
        raise wrong(
            "response_id", "Only responses in the background are cancelled.", "Close the connection of one that runs."
        )

    @routes.get("/{response_id}/input_items", response_class=Response, **documented(None, ItemList))
    async def input_items(request: Request, response_id: str) -> Response:
        """What it answered, with all that came before."""
        kept = await _kept(rooms, request, response_id)
        page = parse(ListingFields, dict(request.query_params))
        return _json(encode(listed(kept.context, page)))

    return routes


async def _asked(rooms: ServerRooms, body: bytes, asking: Asking) -> AskedResponse:
    fields, unknown = read_response(body)
    before: tuple[Item, ...] = ()
    if fields.previous_response_id is not None:
        previous = await rooms.library.responses.get(fields.previous_response_id, tenant=asking.user)
        if previous is None:
            raise PreviousResponseNotFound(
                f"Previous response with id '{fields.previous_response_id}' not found.",
                hint="It was not kept, or is forgotten by now: send the whole conversation as `input`.",
                param="previous_response_id",
            )
        before = (*previous.context, *_output(previous))
    known = {str(item["id"]): item for item in before}
    for item in fields.input:
        if item.type == _REFERENCE and item.id is not None and item.id not in known:
            kept = await rooms.library.responses.get(response_id(key_in(item.id)), tenant=asking.user)
            if kept is not None:
                known.update({str(each["id"]): each for each in (*kept.context, *_output(kept))})
    key = secrets.token_hex(_KEY_BYTES)
    return understood(
        fields,
        key=key,
        request_id=asking.id,
        tenant=asking.user,
        reading=Reading(key=key, model=fields.model or rooms.config.model.default, known=known),
        before=before,
        unknown=unknown,
    )


def _answering(rooms: ServerRooms, asked: AskedResponse, asking: Asking) -> Answering:
    renderers: list[ResponseRenderer] = []

    def renderer(accepted: Accepted) -> ResponseRenderer:
        renderers.append(
            ResponseRenderer(
                asked,
                model=accepted.model,
                now=lambda: int(rooms.now().timestamp()),
                sampling=accepted.sampling,
            )
        )
        return renderers[0]

    def failed(error: PaddockError) -> bytes:
        return renderers[0].failure(error)

    async def keep() -> None:
        if not asked.store:
            return
        document = cast("dict[str, object]", msgspec.to_builtins(renderers[0].done()))
        kept = KeptResponse(id=response_id(asked.key), document=document, context=asked.context)
        await rooms.library.responses.keep(kept, tenant=asking.user)

    wanted = Wanted(
        requests=[asked.request],
        stream=asked.stream,
        prompt_field="input",
        renderer=renderer,
        failure=failed,
        ignored=asked.ignored,
        ended=keep,
    )
    return Answering(rooms, wanted, asking)


async def _kept(rooms: ServerRooms, request: Request, response_id: str) -> KeptResponse:
    kept = await rooms.library.responses.get(response_id, tenant=asking_of(request).user)
    if kept is None:
        raise _unknown(response_id)
    return kept


def _unknown(response_id: str) -> ResponseNotFound:
    return ResponseNotFound(
        f"Response with id '{response_id[:80]}' not found.",
        hint="It was not kept, is forgotten by now, or was never made here.",
    )


def _output(kept: KeptResponse) -> list[Item]:
    return cast("list[Item]", kept.document["output"])


def _json(body: bytes, ignored: tuple[str, ...] = ()) -> Response:
    return Response(body, media_type=JSON, headers=ignored_header(ignored))
