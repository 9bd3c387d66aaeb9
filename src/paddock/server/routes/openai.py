"""OpenAI's API: `/v1/chat/completions`, `/v1/completions`, `/v1/models`."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from paddock.dialects.openai_answers import AnswerHead, ChatRenderer, CompletionRenderer, Renderer
from paddock.dialects.openai_asked import Asked
from paddock.dialects.openai_chat import ChatFields, parse_chat
from paddock.dialects.openai_completion import CompletionFields, parse_completion
from paddock.dialects.openai_wire import ChatCompletion, Model, ModelList, TextCompletion, encode
from paddock.errors import PaddockError, PromptTooLong, UsageError
from paddock.providers.merging import merged
from paddock.providers.provider import Accepted, AnswerEvent, Piece
from paddock.server.asking import Asking, asking_of
from paddock.server.openai_models import all_models, one_model
from paddock.server.openai_schemas import documented
from paddock.server.problems import openai_error, unexpected
from paddock.server.rooms import ServerRooms
from paddock.server.streaming import ClientLeft, EventStream, end, unless_left, watch_client
from paddock.telemetry.logs import get_logger

JSON: Final = "application/json"
_IGNORED_MAX: Final = 16  # names in the header
_NAME_CHARACTERS_MAX: Final = 64

_log = get_logger("paddock.server")
Render = Callable[[Asked, AnswerHead], Renderer]
Events = AsyncGenerator[tuple[int, AnswerEvent]]


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
        return await _Answering(rooms, asked, asking, ChatRenderer).respond(request)

    @routes.post(
        "/completions",
        response_class=Response,
        **documented(CompletionFields, TextCompletion, stream="Chunks of the answer, then `[DONE]`."),
    )
    async def completions(request: Request) -> Response:
        """How a text goes on."""
        asking = asking_of(request)
        asked = parse_completion(await request.body(), request_id=asking.id, tenant=asking.user)
        return await _Answering(rooms, asked, asking, CompletionRenderer).respond(request)

    @routes.get("/models", response_class=Response, **documented(None, ModelList))
    async def models() -> Response:
        """Every model here that can be loaded, under each of its names."""
        return Response(encode(await all_models(rooms)), media_type=JSON)

    @routes.get("/models/{name:path}", response_class=Response, **documented(None, Model))
    async def model(name: str) -> Response:
        """One of them."""
        return Response(encode(await one_model(rooms, name)), media_type=JSON)

    return routes


@dataclass(frozen=True, slots=True)
class _Answering:
    """One request for text: from what was asked to a response."""

    rooms: ServerRooms
    asked: Asked
    asking: Asking
    render: Render

    async def respond(self, request: Request) -> Response:
        """The whole answer, or a stream that has begun or will. Raises what keeps it from being answered."""
        leaving = watch_client(request.receive)
        events = merged([self.rooms.provider.answer(each) for each in self.asked.requests])
        try:
            if not self.asked.stream:
                return await unless_left(self._whole(events), leaving)
            return await self._stream(events, leaving)
        except UsageError as error:
            raise self._with_param(error) from None
        finally:
            if not self.asked.stream:
                await end(leaving)

    async def _whole(self, events: Events) -> Response:
        async with aclosing(events):
            accepted = await self._accepted(events)
            renderer = self._renderer(accepted)
            async for number, event in events:
                if isinstance(event, Piece):
                    self._count(event)
                    renderer.collect(self._choice(number, event), event.event)
        return Response(renderer.whole(), media_type=JSON, headers=self._headers(accepted))

    async def _stream(self, events: Events, leaving: asyncio.Task[None]) -> Response:
        """Waits a little for the first token, so that what fails before it has a status of its own."""
        first: asyncio.Task[tuple[int, Piece]] | None = None
        try:
            accepted = await unless_left(self._accepted(events), leaving)
            first = asyncio.create_task(_next_piece(events))
            await asyncio.wait(
                {first, leaving},
                timeout=self.rooms.config.server.first_event_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if leaving.done():
                raise ClientLeft
            if first.done():
                first.result()
            return EventStream(
                self._parts(first, events, self._renderer(accepted)),
                leaving=leaving,
                comment_s=self.rooms.config.server.comment_s,
                headers=self._headers(accepted),
                clock=self.rooms.clock,
            )
        except BaseException:
            await end(leaving, *([first] if first else []))
            await events.aclose()
            raise

    async def _parts(
        self, first: asyncio.Task[tuple[int, Piece]], events: Events, renderer: Renderer
    ) -> AsyncGenerator[bytes]:
        """The events of the stream. What fails on the way is the last of them."""
        try:
            number, piece = await first
            yield self._said(renderer, number, piece)
            async for number, event in events:
                if isinstance(event, Piece):
                    yield self._said(renderer, number, event)
            yield renderer.end()
        except UsageError as error:
            yield _error_event(self._with_param(error))
        except PaddockError as error:
            yield _error_event(error)
        except Exception as error:  # noqa: BLE001  (the boundary of a stream: the client learns that it failed, the log why)
            _log.error("stream.broke", exc_info=error)
            yield _error_event(unexpected())
        finally:
            await end(first)
            await events.aclose()

    def _said(self, renderer: Renderer, number: int, piece: Piece) -> bytes:
        self._count(piece)
        return renderer.chunk(self._choice(number, piece), piece.event)

    async def _accepted(self, events: Events) -> Accepted:
        """The first thing that is said. Raises what is wrong with the model's name."""
        _, event = await anext(events)
        assert isinstance(event, Accepted), "a provider says first that it accepts"
        self.asking.meter.answering(event.model)
        return event

    def _renderer(self, accepted: Accepted) -> Renderer:
        return self.render(
            self.asked,
            AnswerHead(
                created=int(self.rooms.now().timestamp()), model=accepted.model, fingerprint=accepted.fingerprint
            ),
        )

    def _choice(self, number: int, piece: Piece) -> int:
        """Choices are numbered through all prompts."""
        return number * self.asked.requests[0].choices + piece.choice

    def _count(self, piece: Piece) -> None:
        meter = self.asking.meter
        if piece.event.token_ids:
            meter.tokens(len(piece.event.token_ids))
        if piece.event.usage is not None:
            meter.prompt(piece.event.usage.prompt_tokens)

    def _headers(self, accepted: Accepted) -> Mapping[str, str]:
        headers = {
            "x-paddock-model": quote(accepted.model, safe="/:@+ "),
            "x-paddock-provider": accepted.provider,
            "x-paddock-route": accepted.route,
        }
        if self.asked.ignored:
            headers["x-paddock-ignored"] = _listed(self.asked.ignored)
        return headers

    def _with_param(self, error: UsageError) -> UsageError:
        """Only here is it known what the prompt came in."""
        if isinstance(error, PromptTooLong) or (error.param is None and "prompt" in error.message.lower()):
            error.param = self.asked.prompt_field
        return error


async def _next_piece(events: Events) -> tuple[int, Piece]:
    """The next event that is a piece."""
    while True:
        number, event = await anext(events)
        if isinstance(event, Piece):
            return number, event


def _listed(names: Sequence[str]) -> str:
    """Names in a header: what cannot stand there is written in percent."""
    shown = [quote(name[:_NAME_CHARACTERS_MAX], safe="") for name in names[:_IGNORED_MAX]]
    return ", ".join(shown if len(names) <= _IGNORED_MAX else [*shown, "..."])


def _error_event(error: PaddockError) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(openai_error(error))
