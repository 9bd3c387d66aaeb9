"""From what was asked for to a response, in whatever dialect: the whole answer at once, or a stream of its parts."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final, Protocol
from urllib.parse import quote

from fastapi import Request
from starlette.responses import Response

from paddock.errors import Defect, ImageUnreachable, InvalidImage, PaddockError, PromptTooLong, UsageError
from paddock.providers.merging import merged
from paddock.providers.provider import Accepted, AnswerEvent, Piece
from paddock.server.allowing import check_model
from paddock.server.asking import Asking, is_from_here
from paddock.server.problems import unexpected
from paddock.server.recording import record_accepted, record_asked
from paddock.server.rooms import ServerRooms
from paddock.server.streaming import EVENTS, ClientLeft, EventStream, Framing, end, unless_left, watch_client
from paddock.telemetry.logs import get_logger
from paddock.vocabulary import ChatRequest, GenerateEvent

JSON: Final = "application/json"
_IGNORED_MAX: Final = 16  # names in the header
_NAME_CHARACTERS_MAX: Final = 64
_WARNINGS_MAX: Final = 16
_BYTES_A_TOKEN: Final = 4  # about, of most texts and tokenizers

_log = get_logger("paddock.server")
_Events = AsyncGenerator[tuple[int, AnswerEvent]]


class Renderer(Protocol):
    """Writes one answer in a dialect's words. Choices are numbered through all prompts."""

    def chunk(self, choice: int, event: GenerateEvent) -> bytes:
        """Parts of the stream that say it; empty when there is nothing to say yet."""
        ...

    def end(self) -> bytes:
        """The last parts of the stream."""
        ...

    def collect(self, choice: int, event: GenerateEvent) -> None:
        """Keep it for `whole`."""
        ...

    def whole(self) -> bytes:
        """All that was collected, as one JSON object. Every choice has its last event."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One HTTP request, as far as its answering goes."""

    requests: Sequence[ChatRequest]  # one a prompt
    stream: bool
    prompt_field: str  # what the prompt came in: `messages`, `prompt`
    renderer: Callable[[Accepted], Renderer]
    failure: Callable[[PaddockError], bytes]  # the last part of a stream that failed
    ignored: Sequence[str] = ()  # fields that nobody here knows
    ended: Callable[[], Awaitable[None]] | None = None  # awaited when all is there, before the client is told so
    framing: Framing = EVENTS
    anthropic: bool = False  # headers are Anthropic's


@dataclass(frozen=True, slots=True)
class Answering:
    """One request for text: from what was asked to a response."""

    rooms: ServerRooms
    wanted: Wanted
    asking: Asking

    async def respond(self, request: Request) -> Response:
        """The whole answer, or a stream that has begun or will. Raises what keeps it from being answered."""
        audit, default = self.rooms.in_force.config.audit, self.rooms.config.model.default
        record_asked(self.asking.record, self.wanted.requests, default=default, audit=audit)
        for each in self.wanted.requests:
            await check_model(self.rooms, self.asking, each.model)
        leaving = watch_client(request.receive)
        from_here = is_from_here(request)
        asked = [replace(each, from_here=from_here) if from_here else each for each in self.wanted.requests]
        events = merged([self.rooms.provider.answer(each) for each in asked])
        try:
            if not self.wanted.stream:
                return await unless_left(self._whole(events), leaving, cut=self.rooms.life.cut)
            return await self._stream(events, leaving)
        except UsageError as error:
            raise self._with_param(error) from None
        finally:
            if not self.wanted.stream:
                await end(leaving)

    async def _whole(self, events: _Events) -> Response:
        async with aclosing(events):
            taken = _Taken(await self._accepted(events))
            number, piece = await self._first_piece(events, taken)
            renderer = self.wanted.renderer(taken.accepted)
            try:
                self._count(number, piece, taken)
                renderer.collect(self._choice(number, piece), piece.event)
                async for number, event in events:
                    if isinstance(event, Piece):
                        self._count(number, event, taken)
                        renderer.collect(self._choice(number, event), event.event)
            finally:
                self._count_untold(taken)
            await self._ended()
        return Response(renderer.whole(), media_type=JSON, headers=self._headers(taken.accepted))

    async def _stream(self, events: _Events, leaving: asyncio.Task[None]) -> Response:
        """Waits a little for the first token, so that what fails before it has a status of its own."""
        first: asyncio.Task[tuple[int, Piece]] | None = None
        try:
            taken = _Taken(await unless_left(self._accepted(events), leaving))
            first = asyncio.create_task(self._first_piece(events, taken))
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
                self._parts(first, events, taken),
                leaving=leaving,
                comment_s=self.rooms.config.server.comment_s,
                headers=self._headers(taken.accepted),
                clock=self.rooms.clock,
                cut=self.rooms.life.cut,
                failure=self.wanted.failure,
                framing=self.wanted.framing,
            )
        except BaseException:
            await end(leaving, *([first] if first else []))
            await events.aclose()
            raise

    async def _parts(
        self, first: asyncio.Task[tuple[int, Piece]], events: _Events, taken: "_Taken"
    ) -> AsyncGenerator[bytes]:
        """The parts of the stream. What fails on the way is the last of them."""
        try:
            number, piece = await first
            renderer = self.wanted.renderer(taken.accepted)
            yield self._said(renderer, number, piece, taken)
            async for number, event in events:
                if isinstance(event, Piece):
                    yield self._said(renderer, number, event, taken)
            await self._ended()
            yield renderer.end()
        except UsageError as error:
            self.asking.record.error_code = error.code
            yield self.wanted.failure(self._with_param(error))
        except PaddockError as error:
            self.asking.record.error_code = error.code
            yield self.wanted.failure(error)
        except Exception as error:  # noqa: BLE001  (the boundary of a stream: the client learns that it failed, the log why)
            _log.error("stream.broke", exc_info=error)
            self.asking.record.error_code = Defect.code
            yield self.wanted.failure(unexpected())
        finally:
            self._count_untold(taken)
            await end(first)
            await events.aclose()

    async def _ended(self) -> None:
        if self.wanted.ended is not None:
            await self.wanted.ended()

    def _said(self, renderer: Renderer, number: int, piece: Piece, taken: "_Taken") -> bytes:
        self._count(number, piece, taken)
        return renderer.chunk(self._choice(number, piece), piece.event)

    async def _accepted(self, events: _Events) -> Accepted:
        """The first thing that is said. Raises what is wrong with the model's name."""
        _, event = await anext(events)
        assert isinstance(event, Accepted), "a provider says first that it accepts"
        self.asking.meter.answering(event.model)
        record_accepted(self.asking.record, event)
        return event

    async def _first_piece(self, events: _Events, taken: "_Taken") -> tuple[int, Piece]:
        """Until it comes, somebody else may take the request instead: `taken` says who it is."""
        while True:
            number, event = await anext(events)
            if isinstance(event, Piece):
                return number, event
            if number == 0:
                taken.accepted = event
                self.asking.meter.answering(event.model)
                record_accepted(self.asking.record, event)

    def _choice(self, number: int, piece: Piece) -> int:
        """Choices are numbered through all prompts."""
        return number * self.wanted.requests[0].choices + piece.choice

    def _count(self, number: int, piece: Piece, taken: "_Taken") -> None:
        meter = self.asking.meter
        if piece.event.token_ids:
            taken.has_ids = True
            meter.tokens(len(piece.event.token_ids))
        elif not taken.has_ids and (size := _size(piece.event)):
            meter.first_token()
            taken.untold[(number, piece.choice)] += size
        if piece.event.usage is not None:
            taken.untold.pop((number, piece.choice), None)
            meter.prompt(piece.event.usage.prompt_tokens)
            if not taken.has_ids:  # others tell only how many there were
                meter.tokens(piece.event.usage.completion_tokens)
            self.asking.record.cached_tokens += piece.event.usage.cached_tokens

    def _count_untold(self, taken: "_Taken") -> None:
        """Of an answer that broke off nobody told the tokens: they are estimated, so that the audit says how much came."""
        if not taken.has_ids:
            self.asking.meter.tokens(-(-sum(taken.untold.values()) // _BYTES_A_TOKEN))
        taken.untold.clear()

    def _headers(self, accepted: Accepted) -> Mapping[str, str]:
        headers = {
            "x-paddock-model": quote(accepted.model, safe="/:@+ "),
            "x-paddock-provider": accepted.provider,
            "x-paddock-route": accepted.route,
        }
        if accepted.warnings:
            headers["x-paddock-warnings"] = "; ".join(accepted.warnings[:_WARNINGS_MAX])
        if accepted.attempts > 1:
            headers["x-paddock-attempts"] = str(accepted.attempts)
        limits = accepted.limits.headers(anthropic=self.wanted.anthropic)
        return {**headers, **limits, **ignored_header([*self.wanted.ignored, *accepted.ignored])}

    def _with_param(self, error: UsageError) -> UsageError:
        """Only here is it known what the prompt came in."""
        speaks_of_prompt = error.param is None and "prompt" in error.message.lower()
        if speaks_of_prompt or isinstance(error, PromptTooLong | InvalidImage | ImageUnreachable):
            error.param = self.wanted.prompt_field
        return error


def ignored_header(names: Sequence[str]) -> Mapping[str, str]:
    """Names of fields that were passed over, as a header: what cannot stand there is written in percent."""
    if not names:
        return {}
    shown = [quote(name[:_NAME_CHARACTERS_MAX], safe="") for name in names[:_IGNORED_MAX]]
    return {"x-paddock-ignored": ", ".join(shown if len(names) <= _IGNORED_MAX else [*shown, "..."])}


@dataclass(slots=True)
class _Taken:
    """Who answers, as it was last said."""

    accepted: Accepted
    has_ids: bool = False  # its tokens come one by one
    untold: Counter[tuple[int, int]] = field(default_factory=Counter[tuple[int, int]])  # bytes of choices without usage


def _size(event: GenerateEvent) -> int:
    """Bytes of what it says."""
    said = len(event.text.encode()) + len(event.reasoning.encode())
    return said + sum(len(call.arguments.encode()) for call in event.tool_calls)
