"""Questions and answers: what a program asks a model, and how it gets to hear the answer."""

import itertools
import os
import sys
from array import array
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Protocol

from paddock.errors import UsageError
from paddock.providers.provider import Accepted, AnswerEvent, Vectors
from paddock.vocabulary import ChatRequest, EmbedRequest, FinishReason, Message, Sampling, Usage

_numbers = itertools.count(1)
_OPEN: Final = ("temperature", "top_p", "max_tokens")
_FLOAT_BYTES: Final = 4
_ALWAYS_OPEN: Final = ("top_k", "repetition_penalty")


class Answers(Protocol):
    """Of a Provider, all that is needed here; its docstring holds."""

    def answer(self, request: ChatRequest) -> AsyncGenerator[AnswerEvent]: ...

    async def embed(self, request: EmbedRequest) -> Vectors: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How to answer. None leaves it to the options that are set for the model."""

    temperature: float | None = None  # 0 takes the likeliest token
    max_tokens: int | None = None
    top_p: float | None = None
    seed: int | None = None  # the same seed gives the same answer
    stop: tuple[str, ...] = ()  # texts that end the answer

    def sampling(self) -> tuple[Sampling, frozenset[str]]:
        """The settings, and the names of those that are left open."""
        given = {name: getattr(self, name) for name in _OPEN if getattr(self, name) is not None}
        left_open = frozenset((*_ALWAYS_OPEN, *_OPEN)) - given.keys()
        return Sampling(**given, seed=self.seed, stop=self.stop), left_open


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer."""

    text: str
    reasoning: str  # the thought before it, of models that think
    model: str  # who answered
    finish_reason: FinishReason
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """More of an answer. The last one has a `finish_reason` and the usage."""

    text: str = ""
    reasoning: str = ""
    model: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Embeddings:
    """Vectors of texts, in their order; each has the length 1, so that a product of two says how alike they are."""

    vectors: "tuple[array[float], ...]"  # of float32
    tokens: tuple[int, ...]  # of each text as the model read it
    truncated_tokens: int  # that were cut off, all together
    model: str  # who made them


async def embed_texts(
    provider: Answers,
    model: str,
    texts: Sequence[str | Sequence[int]],
    *,
    dimensions: int | None,
    truncate: bool,
    input_type: str | None,
) -> Embeddings:
    """A vector of each."""
    for number, text in enumerate(texts):
        if not text:
            raise UsageError(f"Text {number} is empty.", hint="Leave it out; nothing has no meaning.", param="input")
    if not texts:
        raise UsageError("There is nothing to embed.", hint="Give a text, or several.", param="input")
    request = EmbedRequest(
        id=f"python-{os.getpid()}-{next(_numbers)}",
        model=model,
        inputs=tuple(text if isinstance(text, str) else tuple(text) for text in texts),
        dimensions=dimensions,
        truncate=truncate,
        input_type=input_type,
    )
    told = await provider.embed(request)
    embedded = told.embedded
    width = embedded.dimensions * _FLOAT_BYTES
    vectors: list[array[float]] = []
    for begin in range(0, len(embedded.vectors), width):
        vector = array("f", embedded.vectors[begin : begin + width])
        if sys.byteorder == "big":
            vector.byteswap()
        vectors.append(vector)
    return Embeddings(
        vectors=tuple(vectors),
        tokens=embedded.tokens,
        truncated_tokens=sum(embedded.cut),
        model=told.accepted.model,
    )


async def stream_answer(
    provider: Answers, model: str, messages: Sequence[Message], manner: Manner
) -> AsyncGenerator[Part]:
    """The answer as it comes. Leaving the iteration stops the model."""
    sampling, left_open = manner.sampling()
    request = ChatRequest(
        id=f"python-{os.getpid()}-{next(_numbers)}",
        model=model,
        sampling=sampling,
        left_open=left_open,
        messages=tuple(messages),
    )
    name = model
    async with aclosing(provider.answer(request)) as events:
        async for event in events:
            if isinstance(event, Accepted):
                name = event.model
                continue
            piece = event.event
            yield Part(
                text=piece.text,
                reasoning=piece.reasoning,
                model=name,
                finish_reason=piece.finish_reason,
                usage=piece.usage,
            )


async def whole_answer(provider: Answers, model: str, messages: Sequence[Message], manner: Manner) -> Answer:
    """The answer when it is complete."""
    parts: list[Part] = []
    async with aclosing(stream_answer(provider, model, messages, manner)) as coming:
        parts.extend([part async for part in coming])
    last = parts[-1] if parts else Part()
    return Answer(
        text="".join(part.text for part in parts),
        reasoning="".join(part.reasoning for part in parts),
        model=last.model or model,
        finish_reason=last.finish_reason or FinishReason.STOP,
        usage=last.usage or Usage(),
    )


def as_message(asked: str | Message) -> Message:
    """A question of the user."""
    return Message(role="user", content=asked) if isinstance(asked, str) else asked


def as_messages(asked: str | Message | Sequence[Message], system: str | None) -> tuple[Message, ...]:
    """A question, or a whole conversation, with what the model is told before."""
    turns = (as_message(asked),) if isinstance(asked, str | Message) else tuple(asked)
    return (Message(role="system", content=system), *turns) if system else turns
