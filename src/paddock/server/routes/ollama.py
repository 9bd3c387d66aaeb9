"""Ollama's API: `/api/chat`, `/api/generate`, and the models here, in memory and to be fetched."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from paddock.dialects.ollama_answers import ChatRenderer, TextRenderer, Timing, nothing_said
from paddock.dialects.ollama_chat import ChatFields, parse_chat
from paddock.dialects.ollama_fields import Asked
from paddock.dialects.ollama_generate import GenerateFields, parse_generate
from paddock.dialects.ollama_manage import CopyFields, NameFields, PullFields, parse_copy, parse_name, parse_pull
from paddock.dialects.ollama_names import plain
from paddock.dialects.ollama_wire import (
    ChatAnswer,
    ModelList,
    PullLine,
    RunningList,
    ShownModel,
    TextAnswer,
    Version,
    encode,
    line,
)
from paddock.errors import UsageError
from paddock.providers.naming import resolve
from paddock.providers.provider import Accepted
from paddock.server import ollama_pulls
from paddock.server.allowing import check_model
from paddock.server.answering import JSON, Answering, Renderer, Wanted, ignored_header
from paddock.server.asking import Asking, asking_of
from paddock.server.ollama_models import far_target, known_name, running, shown, tags
from paddock.server.openai_schemas import described
from paddock.server.problems import ollama_error
from paddock.server.rooms import ServerRooms
from paddock.server.streaming import LINES, EventStream, end, unless_left, watch_client

# The Ollama whose API this is: its clients compare the number with the least that they work with.
LEVEL: Final = "0.12.11"

_Render = Callable[[Asked, Timing], Renderer]


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["ollama"])
    _answering(routes, rooms)
    _looking(routes, rooms)
    _changing(routes, rooms)
    return routes


def _answering(routes: APIRouter, rooms: ServerRooms) -> None:
    @routes.post("/chat", response_class=Response, **described(ChatFields, ChatAnswer, lines=True))
    async def chat(request: Request) -> Response:
        """The next message of a conversation. Without messages the model is loaded, with `keep_alive` 0 unloaded."""
        asking = asking_of(request)
        began = rooms.clock()
        asked = parse_chat(await request.body(), request_id=asking.id, tenant=asking.user)
        return await _Request(rooms, asking, began, ChatRenderer).respond(request, asked)

    @routes.post("/generate", response_class=Response, **described(GenerateFields, TextAnswer, lines=True))
    async def generate(request: Request) -> Response:
        """The answer to a prompt. Without a prompt the model is loaded, with `keep_alive` 0 unloaded."""
        asking = asking_of(request)
        began = rooms.clock()
        asked = parse_generate(await request.body(), request_id=asking.id, tenant=asking.user)
        return await _Request(rooms, asking, began, TextRenderer).respond(request, asked)


def _looking(routes: APIRouter, rooms: ServerRooms) -> None:
    @routes.get("/tags", response_class=Response, **described(None, ModelList))
    async def list_models(request: Request) -> Response:
        """Every model that the key may use, under each of its names."""
        return _json(await tags(rooms, asking_of(request).caller))

    @routes.get("/ps", response_class=Response, **described(None, RunningList))
    async def list_running(request: Request) -> Response:
        """The models in memory that the key may use."""
        return _json(await running(rooms, asking_of(request).caller))

    @routes.post("/show", response_class=Response, **described(NameFields, ShownModel))
    async def show(request: Request) -> Response:
        """One model that can be asked."""
        name = await known_name(rooms, parse_name(await request.body()))
        await check_model(rooms, asking_of(request), name)
        return _json(await shown(rooms, name))

    @routes.get("/version", response_class=Response, **described(None, Version))
    async def version() -> Response:
        """The version of Ollama's API that is spoken here, and Paddock's own."""
        return _json(Version(version=LEVEL, paddock=rooms.version))


def _changing(routes: APIRouter, rooms: ServerRooms) -> None:
    @routes.post("/pull", response_class=Response, **described(PullFields, PullLine, lines=True))
    async def pull(request: Request) -> Response:
        """Fetch a model of Ollama's registry, or `hf.co/org/name`. It goes on whether or not anybody watches."""
        name, stream = parse_pull(await request.body())
        leaving = watch_client(request.receive)
        try:
            job = await unless_left(ollama_pulls.begin(rooms, name), leaving)
            if not stream:
                return _json(await unless_left(ollama_pulls.finish(rooms, job), leaving))
        except BaseException:
            await end(leaving)
            raise
        return EventStream(
            ollama_pulls.lines(rooms, job),
            leaving=leaving,
            comment_s=rooms.config.server.comment_s,
            headers={},
            clock=rooms.clock,
            framing=LINES,
        )

    @routes.delete("/delete", response_class=Response, **described(NameFields, None))
    async def delete(request: Request) -> Response:
        """Remove a model from the disk, and before that from memory; of an alias, only the name. 409 while it is in use."""
        name = await known_name(rooms, parse_name(await request.body()))
        if not await _is_alias(rooms, name):
            await rooms.pool.unload((await rooms.library.get(name)).name)
        await rooms.library.remove(name)
        return Response()

    @routes.post("/copy", response_class=Response, **described(CopyFields, None))
    async def copy(request: Request) -> Response:
        """Give a model a second name."""
        fields = parse_copy(await request.body())
        await rooms.library.copy(await known_name(rooms, fields.source), plain(fields.destination))
        return Response()


async def _is_alias(rooms: ServerRooms, name: str) -> bool:
    return any(name in info.aliases for info in await rooms.library.list())


@dataclass(frozen=True, slots=True)
class _Request:
    """One request for text."""

    rooms: ServerRooms
    asking: Asking
    began: float
    render: _Render

    async def respond(self, request: Request, asked: Asked) -> Response:
        """The answer, whole or as lines. Raises what keeps it from being given."""
        name = await known_name(self.rooms, asked.model)
        await check_model(self.rooms, self.asking, name)
        if asked.empty:
            if await far_target(self.rooms, name) is not None:  # is always there
                return self._moved(asked)
            target = await resolve(name, find=self.rooms.library.get, default=self.rooms.config.model.default)
            self.asking.meter.answering(target.record.name)
            return await self._only_moved(request, asked, target.record.name)
        record = await self.rooms.library.find(name or self.rooms.config.model.default)
        if asked.thinks and record is not None and not record.facts.capabilities.thinking:
            raise UsageError(
                f"`{asked.model[:80]}` does not support thinking.", hint="Leave `think` out.", param="think"
            )
        wanted = Wanted(
            requests=(replace(asked.request, model=name),),
            stream=asked.stream,
            prompt_field="prompt" if asked.request.messages is None else "messages",
            renderer=lambda accepted: self._renderer(asked, accepted),
            failure=lambda error: line(ollama_error(error)),
            ignored=asked.ignored,
            framing=LINES,
        )
        return await Answering(self.rooms, wanted, self.asking).respond(request)

    def _renderer(self, asked: Asked, accepted: Accepted) -> Renderer:
        timing = Timing(
            clock=self.rooms.clock,
            began=self.began,
            loading_s=lambda: self._loading_s(accepted.model),
            now=self.rooms.now,
        )
        return self.render(asked, timing)

    def _loading_s(self, name: str) -> float:
        """How long this request waited until its model was there; nothing if it was there before."""
        held = self.rooms.pool.status().models.get(name)
        if held is None or held.loaded_at is None:
            return 0.0
        return max(0.0, held.loaded_at - self.began)

    async def _only_moved(self, request: Request, asked: Asked, name: str) -> Response:
        """Load the model, or take it out of memory once it is idle."""
        leaving = watch_client(request.receive)
        try:
            if asked.leaves:
                await unless_left(self.rooms.pool.unload(name, wait=True), leaving)
            else:
                await unless_left(self._load(asked, name), leaving)
        finally:
            await end(leaving)
        return self._moved(asked)

    def _moved(self, asked: Asked) -> Response:
        reason = "unload" if asked.leaves else "load"
        answer = nothing_said(asked, reason, self.rooms.now())
        return _json(answer, headers=ignored_header(asked.ignored))

    async def _load(self, asked: Asked, name: str) -> None:
        async with self.rooms.pool.lease(name, user=f"request {asked.request.id}", keep_alive=asked.request.keep_alive):
            return


def _json(value: msgspec.Struct, headers: Mapping[str, str] | None = None) -> Response:
    return Response(encode(value), media_type=JSON, headers=headers)
