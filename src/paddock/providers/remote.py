"""A provider that is asked over HTTP, whatever dialect it speaks."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from paddock.airgap.airgap import Airgap
from paddock.config.schema import Config
from paddock.dialects.asking import FarFailure, Garbled
from paddock.providers.definition import Kind, ProviderDefinition
from paddock.providers.failures import Asked, failure_within
from paddock.providers.far import Far, garbled
from paddock.providers.limits import limits_of
from paddock.providers.merging import merged
from paddock.providers.provider import Accepted, AnswerEvent, Piece, Scores, Vectors
from paddock.providers.settling import settled
from paddock.providers.speech import FarModel, speech_of
from paddock.vocabulary import ChatRequest, EmbedRequest, RerankRequest

Key = Callable[[], Awaitable[str | None]]


class RemoteProvider:
    """Implements Provider. `model` of a request is the far side's own name for it."""

    def __init__(
        self,
        definition: ProviderDefinition,
        *,
        key: Key,
        config: Callable[[], Config],
        far: Far | None = None,
        airgap: Airgap | None = None,
    ) -> None:
        """`key` tells the key each time that it is needed, so that a new one holds at once."""
        self.definition = definition
        self._key = key
        self._config = config
        self._far = far or Far(definition, airgap=airgap)
        self._speech = speech_of(definition)

    def with_options(self, options: Mapping[str, Any]) -> "RemoteProvider":
        """The same one, over the same connections, with `options` on top of its own."""
        own = replace(self.definition, options={**self.definition.options, **options})
        return RemoteProvider(own, key=self._key, config=self._config, far=self._far)

    async def close(self) -> None:
        await self._far.close()

    async def answer(self, request: ChatRequest) -> AsyncGenerator[AnswerEvent]:
        """See Provider. `Accepted` comes with the headers of the far side's answer."""
        request = settled(request, self._config())
        asked = await self._asked(request.model)
        if request.choices > 1 and not self._takes_choices:
            async with aclosing(self._several(asked, request)) as events:
                async for event in events:
                    yield event
            return
        async with aclosing(self._one(asked, request)) as events:
            async for event in events:
                yield event

    async def count(self, request: ChatRequest) -> int:
        """See Provider. Raises NotOffered where the far side does not tell."""
        asked = await self._asked(request.model)
        ask = self._speech.count(request, request.model)
        answer = await self._far.ask("POST", ask.path, asked, ask.body)
        return self._understood(self._speech.counted, answer)

    async def embed(self, request: EmbedRequest) -> Vectors:
        """See Provider."""
        asked = await self._asked(request.model)
        ask = self._speech.embed(request, request.model)
        answer = await self._far.ask("POST", ask.path, asked, ask.body)
        embedded = self._understood(self._speech.embedded, answer)
        if len(embedded.tokens) != len(request.inputs):
            raise garbled(self.definition.name, "it has another number of vectors")
        return Vectors(accepted=self._accepted(request.model), embedded=embedded)

    async def rerank(self, request: RerankRequest) -> Scores:
        """See Provider. In the shape that Jina's and Cohere's servers have in common, and other Paddocks."""
        asked = await self._asked(request.model)
        ask = self._speech.rerank(request, request.model)
        answer = await self._far.ask("POST", ask.path, asked, ask.body)
        documents = len(request.documents)
        reranked = self._understood(lambda given: self._speech.reranked(given, documents), answer)
        return Scores(accepted=self._accepted(request.model), reranked=reranked)

    async def models(self) -> Sequence[FarModel]:
        """The models that it lists. Raises what kept it from telling."""
        asked = await self._asked("")
        answer = await self._far.ask("GET", self._speech.models_path, asked)
        return self._understood(self._speech.models, answer)

    @property
    def _takes_choices(self) -> bool:
        return self.definition.kind is Kind.OPENAI

    async def _asked(self, model: str) -> Asked:
        return Asked(provider=self.definition.name, model=model, key=await self._key())

    def _accepted(self, model: str, headers: Mapping[str, str] | None = None, ignored: Sequence[str] = ()) -> Accepted:
        return Accepted(
            model=model,
            provider=self.definition.name,
            route="exact",
            limits=limits_of(headers or {}),
            ignored=tuple(ignored),
        )

    async def _several(self, asked: Asked, request: ChatRequest) -> AsyncGenerator[AnswerEvent]:
        """One request a choice, side by side."""
        alone = [replace(request, choices=1) for _ in range(request.choices)]
        accepted = False
        async with aclosing(merged([self._one(asked, each) for each in alone])) as events:
            async for choice, event in events:
                if isinstance(event, Piece):
                    yield Piece(choice=choice, event=event.event)
                elif not accepted:
                    accepted = True
                    yield event

    async def _one(self, asked: Asked, request: ChatRequest) -> AsyncGenerator[AnswerEvent]:
        ask = self._speech.ask(request, request.model)
        reading = self._speech.reading(request)
        name = self.definition.name
        async with self._far.stream(ask.path, ask.body, asked) as (headers, events):
            yield self._accepted(request.model, headers, ask.ignored)
            try:
                async for event in events:
                    for choice, said in reading.read(event.name, event.data):
                        yield Piece(choice=choice, event=said)
                for choice, said in reading.end():
                    yield Piece(choice=choice, event=said)
            except FarFailure as failure:
                raise failure_within(failure, asked) from None
            except Garbled as error:
                raise garbled(name, str(error)) from error

    def _understood(self, read: Callable[[bytes], Any], answer: bytes) -> Any:
        try:
            return read(answer)
        except Garbled as error:
            raise garbled(self.definition.name, str(error)) from error
