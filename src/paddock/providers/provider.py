"""The seam between who asks and who answers."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from paddock.providers.limits import NO_LIMITS, RateLimits
from paddock.vocabulary import ChatRequest, Embedded, EmbedRequest, GenerateEvent, Reranked, RerankRequest, Sampling


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The request was taken: by whom, and how it came there. The first thing that an answer says.

    It may be said again, before the first piece, when somebody else takes the request instead.
    """

    model: str  # the name of the model that answers, as `list` shows it
    provider: str  # `local`
    route: str  # how the asked name led there: `exact`, `alias`, `default`
    warnings: tuple[str, ...] = ()  # what was changed about the request so that it could be answered
    attempts: int = 1  # how many were asked, this one included
    ignored: tuple[str, ...] = ()  # what was asked for and its dialect has no word for
    limits: RateLimits = NO_LIMITS  # what it says of how much one may ask
    fingerprint: str = ""  # changes when the same seed may be answered differently: other files, another version
    sampling: Sampling | None = (
        None  # how tokens are chosen, what was left open filled in; None where nobody here knows
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """More of one of the choices. The last piece of a choice has a `finish_reason` and that choice's usage."""

    choice: int
    event: GenerateEvent


AnswerEvent = Accepted | Piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """Who embedded, and what came of it."""

    accepted: Accepted
    embedded: Embedded


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Who scored, and what came of it."""

    accepted: Accepted
    reranked: Reranked


class Provider(Protocol):
    """Answers requests. Every failure is a PaddockError."""

    def answer(self, request: ChatRequest) -> AsyncGenerator[AnswerEvent]:
        """`Accepted`, then pieces until every choice has its last. Leaving the iteration cancels what still runs.

        Raises what is wrong with the request (ModelNotFound, UsageError, PromptTooLong, …), what keeps it from being
        answered (Overloaded, NotEnoughMemory, RunnerCrashed, …), before the first piece or after it. An event with
        `FinishReason.ERROR` is never passed on: it is raised as the error that it names.
        """
        ...

    async def count(self, request: ChatRequest) -> int:
        """How many tokens the prompt of `request` has: what `answer` would report as its `prompt_tokens`.

        Raises as `answer` does before the first piece.
        """
        ...

    async def embed(self, request: EmbedRequest) -> Vectors:
        """A vector of each input. Cancelling the caller ends the work.

        Raises WrongKindOfModel for a model that makes none, PromptTooLong for an input that is too long and is not to be cut,
        UsageError for what else is wrong, and what keeps it from being answered as `answer` does.
        """
        ...

    async def rerank(self, request: RerankRequest) -> Scores:
        """A score of each document. Raises as `embed` does."""
        ...
