"""Short ways to ask a provider and to read its answer."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from paddock.config.schema import Config
from paddock.config.sources import load_config
from paddock.providers.definition import Kind, ProviderDefinition
from paddock.providers.provider import Accepted, Piece, Provider
from paddock.providers.remote import RemoteProvider
from paddock.vocabulary import ChatRequest, FinishReason, Message, Sampling, Usage
from tests.fakes.clouds import Cloud

OPEN = frozenset({"temperature", "top_p", "top_k", "repetition_penalty", "max_tokens"})


def settings(flags: Mapping[str, Any] | None = None) -> Config:
    nowhere = Path("/nonexistent")
    return load_config(environment={"HOME": str(nowhere)}, workspace=nowhere, flags=flags)


def ask(text: str = "Hi", **others: Any) -> ChatRequest:
    others.setdefault("messages", (Message(role="user", content=text),))
    sampling = Sampling(**others.pop("sampling", {}))
    left_open = others.pop("left_open", OPEN)
    return ChatRequest(**{"id": "r1", "model": "far-model", "sampling": sampling, "left_open": left_open, **others})


@asynccontextmanager
async def remote(
    cloud: Cloud, kind: str, *, key: str | None = "secret-key", flags: Mapping[str, Any] | None = None, **others: Any
) -> AsyncIterator[RemoteProvider]:
    """A provider that asks `cloud`."""
    config = settings(flags)
    definition = ProviderDefinition(name="far", kind=Kind(kind), base_url=cloud.url, **others)

    async def known() -> str | None:
        return key

    provider = RemoteProvider(definition, key=known, config=lambda: config)
    try:
        yield provider
    finally:
        await provider.close()


class Heard:
    """A whole answer."""

    def __init__(self) -> None:
        self.accepted: list[Accepted] = []
        self.pieces: list[Piece] = []

    def text(self, choice: int = 0) -> str:
        return "".join(piece.event.text for piece in self.pieces if piece.choice == choice)

    @property
    def reasoning(self) -> str:
        return "".join(piece.event.reasoning for piece in self.pieces)

    @property
    def calls(self) -> list[tuple[str, str, str]]:
        """Id, name and arguments of each."""
        deltas = [delta for piece in self.pieces for delta in piece.event.tool_calls]
        heads = {delta.index: delta for delta in deltas if delta.id}
        return [
            (head.id, head.name, "".join(delta.arguments for delta in deltas if delta.index == index))
            for index, head in heads.items()
        ]

    @property
    def finish(self) -> FinishReason | None:
        return self.pieces[-1].event.finish_reason

    @property
    def usage(self) -> Usage | None:
        return self.pieces[-1].event.usage


async def hear(provider: Provider, request: ChatRequest) -> Heard:
    """Raises what the provider raises."""
    heard = Heard()
    async for event in provider.answer(request):
        if isinstance(event, Accepted):
            heard.accepted.append(event)
        else:
            heard.pieces.append(event)
    return heard
