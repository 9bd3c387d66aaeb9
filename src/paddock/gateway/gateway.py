"""`Gateway`: a Provider over all providers. It routes a request, and tries the next target while nothing has been said."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol, TypeVar

from paddock.audit.trail import note_route
from paddock.errors import ModelNotFound, PaddockError
from paddock.gateway.attempts import Attempts, Means, out_of_time, seat_of
from paddock.gateway.candidates import LOCAL
from paddock.gateway.failing import blames
from paddock.gateway.hedging import Race
from paddock.gateway.routers import text_of
from paddock.gateway.routing import Route, Target, Traits
from paddock.gateway.speeds import Speeds
from paddock.providers.provider import Accepted, AnswerEvent, Piece, Provider, Scores, Vectors
from paddock.telemetry.logs import get_logger
from paddock.telemetry.timeline import step
from paddock.vocabulary import ChatRequest, EmbedRequest, FinishReason, RerankRequest

_log = get_logger("paddock.gateway")
_Request = TypeVar("_Request", ChatRequest, EmbedRequest, RerankRequest)
_Answer = TypeVar("_Answer", Vectors, Scores, int)


class Routes(Protocol):
    """How names lead to providers."""

    async def route(self, traits: Traits) -> Route:
        """A name that leads nowhere is the route's `failure`."""
        ...


class Gateway:
    """Implements Provider."""

    def __init__(self, routes: Routes, means: Means, speeds: Speeds) -> None:
        self._routes = routes
        self._means = means
        self._speeds = speeds

    async def answer(self, request: ChatRequest) -> AsyncGenerator[AnswerEvent]:
        """See Provider. `Accepted` comes anew for each attempt, until the first piece has come."""
        attempts = await self._attempts(request.id, traits_of(request))
        async with aclosing(aiter(attempts)) as targets:
            async for target, provider in targets:
                hedge_s = attempts.settings.hedged_after_s(target) if attempts.made == 1 else None
                if hedge_s is not None:
                    race = Race(
                        attempts, lambda one, who: self._attempt(attempts, one, who, request), self._means.sleep
                    )
                    async with aclosing(self._raced(race, attempts, target, provider, hedge_s, targets)) as events:
                        async for event in events:
                            yield event
                    if race.winner is not None:
                        return
                    continue
                begun = False
                try:
                    async with aclosing(self._attempt(attempts, target, provider, request)) as events:
                        async for event in events:
                            begun = begun or isinstance(event, Piece)
                            yield event
                except TimeoutError:
                    attempts.failed(target, out_of_time(target))
                except PaddockError as error:
                    if begun:  # somebody has read the beginning: another one would say it again
                        if target.provider != LOCAL and blames(error):
                            self._means.breakers.failed(seat_of(target))
                        raise
                    attempts.failed(target, error)
                else:
                    return
                finally:
                    attempts.ended(target)
        raise attempts.failure()

    async def _raced(
        self,
        race: Race,
        attempts: Attempts,
        target: Target,
        provider: Provider,
        hedge_s: float,
        targets: AsyncGenerator[tuple[Target, Provider]],
    ) -> AsyncGenerator[AnswerEvent]:
        """What the winner says; only that it was asked when nobody wins."""
        yield Accepted(model=target.model, provider=target.provider, route=target.route, attempts=attempts.made)
        try:
            await race.run(target, provider, hedge_s, targets)
            winner = race.winner
            if winner is None:
                return
            for event in winner.before:
                yield replace(event, attempts=attempts.made) if isinstance(event, Accepted) else event
            first = winner.first.result()
            assert first is not None, "who has won has said something"
            yield first
            try:
                while (event := await winner.next()) is not None:
                    yield event
            except PaddockError as error:
                if winner.target.provider != LOCAL and blames(error):
                    self._means.breakers.failed(seat_of(winner.target))
                raise
        finally:
            await race.close()

    async def _attempt(
        self, attempts: Attempts, target: Target, provider: Provider, request: ChatRequest
    ) -> AsyncGenerator[AnswerEvent]:
        """Raises TimeoutError when the request's time is over before the first piece."""
        began = self._means.clock()
        yield Accepted(model=target.model, provider=target.provider, route=target.route, attempts=attempts.made)
        async with aclosing(provider.answer(replace(request, model=target.model))) as events:
            while True:
                async with asyncio.timeout(attempts.limit_s(target)):
                    event = await anext(events)
                if isinstance(event, Piece):
                    break
                yield replace(event, route=_route(target, event), attempts=attempts.made)
            attempts.succeeded(target)
            self._note_speed(target, event, began)
            yield event
            async for event in events:
                if isinstance(event, Piece):
                    self._note_speed(target, event, began)
                    yield event

    async def count(self, request: ChatRequest) -> int:
        """See Provider."""
        return await self._whole(request, traits_of(request), lambda provider, own: provider.count(own))

    async def embed(self, request: EmbedRequest) -> Vectors:
        """See Provider."""
        return await self._whole(request, Traits(model=request.model), lambda provider, own: provider.embed(own))

    async def rerank(self, request: RerankRequest) -> Scores:
        """See Provider."""
        return await self._whole(request, Traits(model=request.model), lambda provider, own: provider.rerank(own))

    async def _whole(
        self, request: _Request, traits: Traits, ask: Callable[[Provider, _Request], Awaitable[_Answer]]
    ) -> _Answer:
        attempts = await self._attempts(request.id, traits)
        async with aclosing(aiter(attempts)) as targets:
            async for target, provider in targets:
                try:
                    async with asyncio.timeout(attempts.limit_s(target)):
                        answer = await ask(provider, replace(request, model=target.model))
                    attempts.succeeded(target)
                    return _as_led(answer, target, attempts.made)
                except TimeoutError:
                    attempts.failed(target, out_of_time(target))
                except PaddockError as error:
                    attempts.failed(target, error)
                finally:
                    attempts.ended(target)
        raise attempts.failure()

    async def _attempts(self, request_id: str, traits: Traits) -> Attempts:
        with step("route"):
            route = await self._routes.route(traits)
        note_route(route=route.targets[0].route if route.targets else "", rule=route.rule)
        for warning in route.warnings:
            _log.warning("route.warning", request=request_id, text=warning)
        if not route.targets:
            raise route.failure or ModelNotFound(
                f"`{traits.model[:120]}` leads nowhere.", hint="`paddock route explain` says why."
            )
        return Attempts(self._means, request_id, route.targets)

    def _note_speed(self, target: Target, piece: Piece, began: float) -> None:
        usage = piece.event.usage
        if usage is not None and piece.event.finish_reason is not FinishReason.CANCELLED:
            self._speeds.note(seat_of(target), tokens=usage.completion_tokens, seconds=self._means.clock() - began)


def traits_of(request: ChatRequest) -> Traits:
    """What a request cannot do without."""
    needs: list[str] = []
    if any(message.images for message in request.messages or ()):
        needs.append("vision")
    if request.tools:
        needs.append("tools")
    return Traits(model=request.model, needs=tuple(needs), text=text_of(request), tenant=request.tenant)


def _as_led(answer: _Answer, target: Target, attempts: int) -> _Answer:
    if isinstance(answer, Vectors | Scores):
        accepted = replace(answer.accepted, route=_route(target, answer.accepted), attempts=attempts)
        return replace(answer, accepted=accepted)
    return answer


def _route(target: Target, accepted: Accepted) -> str:
    """What led here; of a model's own name the models here know more than its route does."""
    return accepted.route if target.route == "exact" and target.provider == LOCAL else target.route
