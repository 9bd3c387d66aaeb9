"""A fleet that lives in memory: loading takes the time it is told to, an answer as long as it is told to.

It keeps books on what the pool must never do: load one model twice at once, take more than the machine has, end a model
while somebody talks to it.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from paddock.catalog.facts import Facts
from paddock.errors import NotEnoughMemory, RunnerCrashed
from paddock.fleet.fleet import RunnerSpec, RunnerState, RunnerStats
from paddock.library.records import ModelRecord
from paddock.runner.executor import LoadedModel
from paddock.vocabulary import (
    Embedded,
    EmbedRequest,
    FinishReason,
    GenerateEvent,
    GenerateRequest,
    ModelFormat,
    Origin,
    Reranked,
    RerankRequest,
    Sampling,
    SourceKind,
    Usage,
)

MB = 1_000_000


@dataclass(slots=True)
class SimulatedModel:
    """How one model behaves."""

    name: str
    bytes: int
    load_s: float = 1.0
    stop_s: float = 0.1
    fails: int = 0  # so many loads fail before one works
    measured: int | None = None  # takes this instead of what was predicted


@dataclass(slots=True)
class Books:
    """What happened, for the test to judge."""

    loads: list[str] = field(default_factory=list[str])
    stops: list[str] = field(default_factory=list[str])
    cut: list[str] = field(default_factory=list[str])  # answers that a stop ended
    taken_max: int = 0
    count_max: int = 0
    granted_min: dict[str, int] = field(default_factory=dict[str, int])


class SimulatedRunner:
    """Implements Runner."""

    def __init__(self, spec: RunnerSpec, model: SimulatedModel, fleet: "SimulatedFleet") -> None:
        self._spec = spec
        self._model = model
        self._fleet = fleet
        self._stopped = asyncio.Event()
        self._talking = 0
        self._stop_begun = False
        self.state = RunnerState.READY
        self.warmed: list[tuple[int, int]] = []

    @property
    def spec(self) -> RunnerSpec:
        return self._spec

    @property
    def model(self) -> LoadedModel:
        return LoadedModel(
            architecture="simulated",
            vocabulary=10,
            context_window=100,
            end_token_ids=frozenset({0}),
            pages=True,
            block_tokens=16,
            block_count=100,
            bytes_per_token=1,
            memory_bytes=self._model.measured or self._model.bytes,
            load_seconds=self._model.load_s,
            device="none",
        )

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[GenerateEvent]:
        """`max_tokens` pieces, ten a second."""
        self._talking += 1
        try:
            for number in range(count := request.sampling.max_tokens or 1):
                await asyncio.sleep(0.1)
                if self.state is not RunnerState.READY:
                    self._fleet.books.cut.append(request.id)
                    raise RunnerCrashed(f"`{self._spec.name}` was unloaded.", hint="Load it again.")
                last = number == count - 1
                yield GenerateEvent(
                    id=request.id,
                    text=str(number),
                    finish_reason=FinishReason.LENGTH if last else None,
                    usage=Usage(completion_tokens=count) if last else None,
                )
        finally:
            self._talking -= 1

    async def count(self, request: GenerateRequest) -> int:
        return len((request.prompt or "").split())

    async def embed(self, request: EmbedRequest) -> Embedded:
        return Embedded(vectors=bytes(4 * len(request.inputs)), dimensions=1, tokens=(1,) * len(request.inputs))

    async def rerank(self, request: RerankRequest) -> Reranked:
        return Reranked(scores=(0.5,) * len(request.documents), tokens=(1,) * len(request.documents))

    async def warm(self, *, prefill_tokens: int = 128, tokens: int = 4) -> None:
        await asyncio.sleep(0.01)
        self.warmed.append((prefill_tokens, tokens))

    async def stats(self) -> RunnerStats:
        return RunnerStats(state=self.state, pid=1, running=self._talking)

    def crash(self) -> None:
        """It ends, and will not come back."""
        self.state = RunnerState.FAILED

    async def stop(self) -> None:
        if self._stop_begun:
            await self._stopped.wait()
            return
        self._stop_begun = True
        self.state = RunnerState.STOPPED
        self._fleet.books.stops.append(self._spec.name)
        await asyncio.sleep(self._model.stop_s)
        self._fleet.give_back(self._spec.name)
        self._stopped.set()


class SimulatedFleet:
    """Implements Fleet."""

    def __init__(self, *models: SimulatedModel) -> None:
        self.models = {model.name: model for model in models}
        self.books = Books()
        self.runners: dict[str, SimulatedRunner] = {}
        self._taken: dict[str, int] = {}

    async def start(self, spec: RunnerSpec) -> SimulatedRunner:
        model = self.models[spec.name]
        assert spec.name not in self._taken, f"{spec.name} is loaded twice at once"
        assert (spec.memory_bytes_max or 0) >= model.bytes, "less was granted than it needs"
        self._taken[spec.name] = max(spec.memory_bytes_max or 0, model.measured or 0)
        self.books.loads.append(spec.name)
        self.books.taken_max = max(self.books.taken_max, sum(self._taken.values()))
        self.books.count_max = max(self.books.count_max, len(self._taken))
        try:
            await asyncio.sleep(model.load_s)
            if model.fails > 0:
                model.fails -= 1
                raise NotEnoughMemory(f"`{spec.name}` does not load.", hint="Try again.")
        except BaseException:
            self.give_back(spec.name)
            raise
        runner = SimulatedRunner(spec, model, self)
        self.runners[spec.name] = runner
        return runner

    def give_back(self, name: str) -> None:
        del self._taken[name]
        self.runners.pop(name, None)

    def taken(self) -> int:
        """The bytes of all models that load or are loaded."""
        return sum(self.models[name].bytes for name in self._taken)

    async def close(self) -> None:
        for runner in tuple(self.runners.values()):
            await runner.stop()


_FACTS = Facts(format=ModelFormat.MLX)
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def record_of(
    name: str, *, size_bytes: int = MB, path: str | None = None, keep_alive: str | None = None, pinned: bool = False
) -> ModelRecord:
    return ModelRecord(
        name=name,
        source=SourceKind.LOCAL,
        origin=Origin.REGISTERED,
        reference=f"file:///{name}",
        revision=None,
        format=ModelFormat.MLX,
        path=path or f"/{name}",
        root=path or f"/{name}",
        size_bytes=size_bytes,
        files=(),
        facts=_FACTS,
        fingerprint=name,
        keep_alive=keep_alive,
        pinned=pinned,
        added_at=_LONG_AGO,
        modified_at=_LONG_AGO,
    )


def spec_of(record: ModelRecord) -> RunnerSpec:
    return RunnerSpec(name=record.name, path=record.path, format=record.format)


def ask(name: str, tokens: int = 5) -> GenerateRequest:
    return GenerateRequest(id=name, prompt="a", sampling=Sampling(temperature=0, max_tokens=tokens))
