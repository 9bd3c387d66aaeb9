"""The life of the thread that owns an embedding model: take what came, compute one batch, tell those who are complete."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from paddock.errors import GenerationFailed, Overloaded, PaddockError, UsageError
from paddock.runner.embedding.batching import Batches, Job, Pace, Piece
from paddock.runner.embedding.encoder import Encoder, Floats, Tokens
from paddock.runner.embedding.folder import EmbeddingFolder
from paddock.runner.embedding.reader import Reader, ReadInputs
from paddock.runner.embedding.vectors import embedded, reranked, shortened_to
from paddock.runner.executor import Memory
from paddock.runner.inbox import Incoming
from paddock.runner.kinds import no_scores, no_text, only_scores
from paddock.runner.messages import (
    Cancel,
    Count,
    Done,
    Embed,
    EmbedReply,
    Numbers,
    Rerank,
    RerankReply,
    Shutdown,
    Step,
    Submit,
    Warm,
    refused,
)
from paddock.runner.notices import Notices, where
from paddock.runner.opening import LoadOptions
from paddock.runner.worker import Wires
from paddock.vocabulary import EmbedRequest, FinishReason, GenerateEvent

_MEMORY_EVERY_S: Final = 1.0
_BATCH_S: Final = 0.25  # a small request waits about so long at the most for a batch that is being computed


@dataclass(slots=True)
class _Asker:
    """One call that is being answered."""

    call: int
    message: Embed | Rerank
    read: ReadInputs
    vectors: list[Floats | None] = field(default_factory=list["Floats | None"])


class EmbeddingWorker:
    """Implements Worker."""

    def __init__(
        self,
        wires: Wires,
        options: LoadOptions,
        *,
        encoder: Encoder,
        reader: Reader,
        folder: EmbeddingFolder,
        scores: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`scores`: the model is a reranker."""
        self._wires = wires
        self._options = options
        self._encoder = encoder
        self._reader = reader
        self._folder = folder
        self._scores = scores
        self._clock = clock
        self._notices = Notices(wires.channel)
        self._batches = Batches()
        self._pace = Pace(min(options.step_seconds_max, _BATCH_S))
        self._askers: dict[str, _Asker] = {}
        self._steps = self._tokens = self._running = 0
        self._memory: Memory | None = None
        self._memory_at = 0.0
        self._show_numbers()

    def run(self) -> None:
        """See Worker."""
        while True:
            for message in self._wires.inbox.take(wait=self._batches.is_idle):
                if isinstance(message, Shutdown):
                    return
                self._heed(message)
            if not self._batches.is_idle:
                self._step()
            self._show_numbers()

    def close(self) -> None:
        self._encoder.close()

    # What comes in

    def _heed(self, message: Incoming) -> None:
        match message:
            case Embed(call) | Rerank(call):
                self._answer(call, message)
            case Cancel(request_id):
                self._batches.drop(request_id)
                self._askers.pop(request_id, None)
            case Warm(call):
                self._warm(call)
            case Count(call):
                self._refuse(call, self._writes_nothing())
            case Submit(request):
                self._refuse_text(request.id)
            case _:
                raise AssertionError(f"{type(message).__name__} does not belong into this loop")

    def _answer(self, call: int, message: Embed | Rerank) -> None:
        """Queue it, or say why not."""
        try:
            self._queue(call, message)
        except PaddockError as error:
            self._refuse(call, error)
        except Exception as error:  # noqa: BLE001  (the boundary of one request: what it breaks must not break the others)
            self._notices.tell("request_unreadable", (message.request.id,), error=where(error))
            self._refuse(
                call,
                UsageError(
                    f"The request cannot be read by this model: {type(error).__name__}.", hint="Check its texts."
                ),
            )

    def _queue(self, call: int, message: Embed | Rerank) -> None:
        if self._batches.jobs >= self._options.queue_max:
            raise Overloaded(
                f"{self._options.queue_max} requests wait for `{self._options.name}` already.",
                hint="Try again in a moment.",
            )
        request = message.request
        if isinstance(request, EmbedRequest):
            if self._scores:
                raise only_scores(self._options.name)
            shortened_to(request.dimensions, self._encoder.dimensions, self._folder, self._options.name)
            read = self._reader.inputs(request)
        else:
            if not self._scores:
                raise no_scores(self._options.name)
            read = self._reader.pairs(request)
        asker = _Asker(call, message, read, [None] * len(read.rows))
        self._askers[request.id] = asker
        self._batches.add(Job(request.id, read.rows, request.priority))
        if not read.rows:
            self._tell(request.id)

    def _warm(self, call: int) -> None:
        """One short batch: libraries and kernels are there then."""
        try:
            with self._wires.pulse.busy():
                self._encoder.encode([Tokens([1] * 8), Tokens([1] * 5)])
        except PaddockError as error:
            self._refuse(call, error)
        else:
            self._wires.channel.send(Done(call))

    def _refuse(self, call: int, error: PaddockError) -> None:
        self._wires.channel.send(refused(call, error))

    def _refuse_text(self, request_id: str) -> None:
        error = self._writes_nothing()
        event = GenerateEvent(
            id=request_id,
            finish_reason=FinishReason.ERROR,
            error_code=error.code,
            error=error.message,
            hint=error.hint,
        )
        self._wires.channel.send(Step((event,)))

    def _writes_nothing(self) -> PaddockError:
        return only_scores(self._options.name) if self._scores else no_text(self._options.name)

    # What goes on

    def _step(self) -> None:
        batch = self._batches.next_batch(self._pace.tokens_max)
        if not batch:
            return
        self._running = len(batch)
        self._pulse_numbers()  # while a batch is computed, whoever looks sees it
        try:
            with self._wires.pulse.busy():
                began = self._clock()
                vectors = self._encoder.encode([piece.tokens for piece in batch])
                took_s = self._clock() - began
        except PaddockError as error:
            self._fail(batch, error)
            return
        except Exception as error:
            self._notices.tell("step_broke", self._ids(batch), error=where(error))
            raise
        finally:
            self._running = 0
        self._pace.took(len(batch) * max(len(piece.tokens) for piece in batch), took_s)
        self._steps += 1
        self._tokens += sum(len(piece.tokens) for piece in batch)
        self._keep(batch, vectors)

    def _keep(self, batch: Sequence[Piece], vectors: Floats) -> None:
        complete: dict[str, None] = {}
        for piece, vector in zip(batch, vectors, strict=True):
            asker = self._askers.get(piece.job.id)
            if asker is None:
                continue
            if not np.isfinite(vector).all():
                self._end_badly(piece.job.id, self._no_numbers(piece.row))
                continue
            asker.vectors[piece.row] = vector
            piece.job.left -= 1
            if not piece.job.left:
                complete[piece.job.id] = None
        for request_id in complete:
            if request_id in self._askers:
                self._tell(request_id)

    def _tell(self, request_id: str) -> None:
        """All of it is there."""
        asker = self._askers.pop(request_id)
        self._batches.drop(request_id)
        rows, tokens = [each for each in asker.vectors if each is not None], tuple(len(row) for row in asker.read.rows)
        match asker.message:
            case Embed(call, request):
                dimensions = request.dimensions or self._encoder.dimensions
                self._wires.channel.send(EmbedReply(call, embedded(rows, dimensions, tokens, asker.read.cut)))
            case Rerank(call):
                self._wires.channel.send(RerankReply(call, reranked(rows, tokens, asker.read.cut)))

    def _fail(self, batch: Sequence[Piece], error: PaddockError) -> None:
        for request_id in self._ids(batch):
            self._notices.tell("request_failed", (request_id,), error=error.code)
            self._end_badly(request_id, error)

    def _end_badly(self, request_id: str, error: PaddockError) -> None:
        asker = self._askers.pop(request_id, None)
        self._batches.drop(request_id)
        if asker is not None:
            self._refuse(asker.call, error)

    def _no_numbers(self, row: int) -> GenerationFailed:
        return GenerationFailed(
            f"`{self._options.name}` computed no numbers for input {row}.",
            hint="Its weights may be broken: `paddock verify` checks them.",
        )

    def _ids(self, batch: Sequence[Piece]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(piece.job.id for piece in batch))

    def _show_numbers(self) -> None:
        now = self._clock()
        if self._memory is None or now - self._memory_at >= _MEMORY_EVERY_S or self._batches.is_idle:
            self._memory, self._memory_at = self._encoder.memory(), now
        self._pulse_numbers()

    def _pulse_numbers(self) -> None:
        self._wires.pulse.numbers = Numbers(
            waiting=self._batches.rows_waiting,
            running=self._running,
            steps=self._steps,
            tokens=self._tokens,
            memory=self._memory,
        )
