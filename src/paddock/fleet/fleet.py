"""The seam between who wants answers and where models run."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from paddock.runner.executor import LoadedModel, Memory
from paddock.vocabulary import (
    Embedded,
    EmbedRequest,
    GenerateEvent,
    GenerateRequest,
    ModelFormat,
    ModelKind,
    Reranked,
    RerankRequest,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSpec:
    """One model to load, and within which limits."""

    name: str
    path: str  # what the runner opens: a folder, or a weight file
    format: ModelFormat
    kind: ModelKind = ModelKind.TEXT
    context_window: int | None = None  # lower than the model's own, to save memory
    memory_bytes_max: int | None = None  # weights and KV cache together; None lets the runner choose
    queue_max: int = 256  # requests waiting; one more is refused
    step_seconds_max: float = 0.5  # prefill chunks are cut so that no step beside streams takes much longer
    batch_max: int = 64  # sequences in one step
    projector_path: str | None = None  # the file that a GGUF model sees with
    draft_path: str | None = None  # a draft model for speculation
    draft_name: str | None = None  # what to call it in errors; None is the name of its folder
    ngram_speculation: bool = False
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


class RunnerState(StrEnum):
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"  # crashed; comes back after a pause
    FAILED = "failed"  # crashed too often, or cannot load
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerStats:
    """A look at one runner."""

    state: RunnerState
    pid: int | None
    waiting: int = 0
    running: int = 0
    steps: int = 0
    tokens: int = 0
    prefix_hit_tokens: int = 0
    blocks_used: int = 0
    blocks_total: int = 0
    restarts: int = 0
    memory: Memory | None = None


class Runner(Protocol):
    """One loaded model. Every failure is a PaddockError, and comes in bounded time even when the process is gone."""

    @property
    def spec(self) -> RunnerSpec: ...

    @property
    def state(self) -> RunnerState: ...

    @property
    def model(self) -> LoadedModel:
        """Raises a PaddockError while it is not loaded."""
        ...

    def generate(self, request: GenerateRequest) -> AsyncGenerator[GenerateEvent]:
        """The answer, piece by piece. Leaving the iteration cancels the request, closing it (`aclosing`) does so at once.

        A request that the process ends over before its first token is tried again once, unseen, within its deadline; it is
        first tried alone, so that nobody else goes down with it. Raises Overloaded when the queue is full, RunnerCrashed when
        the process ends after the first token or for good, CrashedTwice when it ends over this request alone, DeadlinePassed,
        UsageError and its kin for what is wrong with the request.
        """
        ...

    async def count(self, request: GenerateRequest) -> int:
        """How many tokens the prompt of `request` has: what `generate` would report as its `prompt_tokens`.

        Raises UsageError for a prompt that cannot be read, RunnerCrashed when the process ends over it.
        """
        ...

    async def embed(self, request: EmbedRequest) -> Embedded:
        """The vectors of its inputs, in their order. Cancelling the caller ends the work.

        Raises WrongKindOfModel for a model that has none, PromptTooLong and UsageError for what is wrong with an input, and
        what `generate` raises when it is overloaded, late or the process ends.
        """
        ...

    async def rerank(self, request: RerankRequest) -> Reranked:
        """The scores of its documents, in their order. Raises as `embed` does."""
        ...

    async def warm(self, *, prefill_tokens: int = 128, tokens: int = 4) -> None: ...

    async def stats(self) -> RunnerStats: ...

    async def stop(self) -> None:
        """End the process and give all memory back. Idempotent."""
        ...


class Fleet(Protocol):
    """Starts runners and forgets none: when the fleet closes, or its process dies in whatever way, they end."""

    async def start(self, spec: RunnerSpec) -> Runner:
        """Load a model; returns when it is ready. Raises what loading raises."""
        ...

    async def close(self) -> None: ...
