"""One loaded model in a child process that is started again when it crashes."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from functools import partial
from typing import Final

from paddock.errors import Overloaded, PaddockError, RunnerCrashed
from paddock.fleet.attempts import Attempts
from paddock.fleet.child import Child
from paddock.fleet.due import Due
from paddock.fleet.fleet import RunnerSpec, RunnerState, RunnerStats
from paddock.fleet.link import Link
from paddock.fleet.naming import in_line
from paddock.fleet.parts import embed_parts, joined_scores, joined_vectors, rerank_parts
from paddock.fleet.timing import FleetTiming
from paddock.runner.executor import LoadedModel
from paddock.runner.opening import LoadOptions
from paddock.vocabulary import Embedded, EmbedRequest, GenerateEvent, GenerateRequest, Reranked, RerankRequest

_log: Final = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # a program that sets no logging up gets the errors, not these lines


class SubprocessRunner:
    """Implements Runner.

    STARTING ─► READY ─► RESTARTING ─► READY …
        │                    │
        └─► (raises)         └─► FAILED (too often, or the model does not load any more)
    any ─► STOPPED
    """

    def __init__(
        self, spec: RunnerSpec, *, command: Sequence[str], environment: Mapping[str, str], timing: FleetTiming
    ) -> None:
        self._spec = spec
        self._command = (*command, "--name", spec.name)
        self._environment = environment
        self._timing = timing
        self._state = RunnerState.STARTING
        self._link: Link | None = None
        self._model: LoadedModel | None = None
        self._failure: PaddockError | None = None  # why it is not ready
        self._changed = asyncio.Condition()
        self._waiting_for_restart = 0
        self._restarts = 0
        self._keeper: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._attempts = Attempts(spec.name, self._ready_link, waiting_max=spec.queue_max)

    @property
    def spec(self) -> RunnerSpec:
        return self._spec

    @property
    def state(self) -> RunnerState:
        return self._state

    @property
    def model(self) -> LoadedModel:
        if self._model is None or self._state is not RunnerState.READY:
            raise self._why_not()
        return self._model

    @property
    def is_gone(self) -> bool:
        """Whether nothing of it is left."""
        return self._stopping is not None and self._stopping.done()

    async def start(self) -> None:
        """Load the model for the first time. Raises what loading raises; nothing is left behind then."""
        try:
            link = await self._launch()
        except PaddockError as error:
            await self._become(RunnerState.FAILED, error)
            raise
        except BaseException:
            await self.stop()
            raise
        await self._become(RunnerState.READY)
        self._keeper = asyncio.create_task(self._keep(link), name=f"keeper of {self._spec.name}")

    def generate(self, request: GenerateRequest) -> AsyncGenerator[GenerateEvent]:
        """See Runner."""
        return self._attempts.generate(request)

    async def count(self, request: GenerateRequest) -> int:
        """See Runner."""
        link = await self._ready_link()
        return await link.count(request)

    async def embed(self, request: EmbedRequest) -> Embedded:
        """See Runner. One part after the other: a large request leaves room for others, and no frame is too long."""
        due = Due(request)
        parts = embed_parts(request)
        return joined_vectors([await self._attempts.call(due, partial(_embed, part)) for part in parts])

    async def rerank(self, request: RerankRequest) -> Reranked:
        """See Runner."""
        due = Due(request)
        parts = rerank_parts(request)
        return joined_scores([await self._attempts.call(due, partial(_rerank, part)) for part in parts])

    async def warm(self, *, prefill_tokens: int = 128, tokens: int = 4) -> None:
        link = await self._ready_link()
        await link.warm(prefill_tokens, tokens)

    async def stats(self) -> RunnerStats:
        link = self._link
        if link is None or self._state is not RunnerState.READY:
            return RunnerStats(state=self._state, pid=link.pid if link else None, restarts=self._restarts)
        try:
            numbers = await link.stats()
        except PaddockError:  # it ended while we asked
            return RunnerStats(state=self._state, pid=None, restarts=self._restarts)
        return RunnerStats(
            state=self._state,
            pid=link.pid,
            waiting=numbers.waiting,
            running=numbers.running,
            steps=numbers.steps,
            tokens=numbers.tokens,
            prefix_hit_tokens=numbers.prefix_hit_tokens,
            blocks_used=numbers.blocks_used,
            blocks_total=numbers.blocks_total,
            restarts=self._restarts,
            memory=numbers.memory,
        )

    async def stop(self) -> None:
        """See Runner. Goes on to its end even when the caller is cancelled; everybody who calls waits for the same stop."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(), name=f"stop of {self._spec.name}")
        await asyncio.shield(self._stopping)

    async def _stop(self) -> None:
        unloaded = RunnerCrashed(f"`{self._spec.name}` was unloaded.", hint="Load it again.")
        await self._become(RunnerState.STOPPED, unloaded)
        if self._link is not None:
            await self._link.close(unloaded)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._link is not None:  # the keeper may just have started another
            await self._link.close(unloaded)
            self._link = None

    # One process after the other

    async def _launch(self) -> Link:
        """Start a process and load the model in it. Raises what loading raises."""
        try:
            child = await Child.spawn(self._command, environment=self._environment)
        except OSError as error:
            raise RunnerCrashed(
                f"No process could be started for `{self._spec.name}`: {error.strerror or error}.",
                hint="Check how many processes and open files this system allows.",
            ) from error
        self._link = Link(child, _load_options(self._spec), self._timing)
        if self._stopping is not None:
            await self._link.close(self._why_not())
        self._model = await self._link.open()
        _log.info("runner.loaded name=%s pid=%d", self._spec.name, self._link.pid)
        return self._link

    async def _keep(self, link: Link) -> None:
        """Restart it whenever it ends, until it is stopped or fails for good."""
        failures = 0
        while True:
            began = time.monotonic()
            reason = await link.ended()
            if self._state is RunnerState.STOPPED:
                return
            _log.warning(
                "runner.ended name=%s pid=%d reason=%s requests=%s stderr=%r",
                self._spec.name,
                link.pid,
                reason,
                in_line(link.unanswered),
                link.said,
            )
            if time.monotonic() - began >= self._timing.steady_s:
                failures = 0
            restarted = await self._restart(reason, failures)
            if restarted is None:
                return
            link, failures = restarted

    async def _restart(self, reason: PaddockError, failures: int) -> tuple[Link, int] | None:
        """Try until it is back, with longer and longer pauses. None when that is given up."""
        while self._state is not RunnerState.STOPPED:
            if failures >= self._timing.restarts_max:
                await self._become(RunnerState.FAILED, self._given_up(reason, failures))
                return None
            await self._become(RunnerState.RESTARTING, reason)
            pause_s = min(self._timing.restart_pause_s * 2**failures, self._timing.restart_pause_max_s)
            await asyncio.sleep(pause_s)
            failures += 1
            self._restarts += 1
            try:
                link = await self._launch()
            except PaddockError as error:
                reason = error
                continue
            await self._become(RunnerState.READY)
            return link, failures
        return None

    async def _become(self, state: RunnerState, failure: PaddockError | None = None) -> None:
        if self._state is not RunnerState.STOPPED:  # from there it goes nowhere
            self._state, self._failure = state, failure
        async with self._changed:
            self._changed.notify_all()

    async def _ready_link(self) -> Link:
        """The live connection; while it restarts, wait for it, in bounded number and time."""
        if self._is_between:
            await self._wait_for_restart()
        if self._state is not RunnerState.READY or self._link is None:
            raise self._why_not()
        return self._link

    @property
    def _is_between(self) -> bool:
        """Whether one process has ended and the next is not there yet."""
        over = self._link is None or self._link.is_over
        return self._state is RunnerState.RESTARTING or (self._state is RunnerState.READY and over)

    async def _wait_for_restart(self) -> None:
        if self._waiting_for_restart >= self._spec.queue_max:
            raise Overloaded(
                f"{self._waiting_for_restart} requests wait for `{self._spec.name}` to restart already.",
                hint="Try again in a moment.",
            )
        self._waiting_for_restart += 1
        try:
            async with asyncio.timeout(self._timing.restart_wait_max_s), self._changed:
                await self._changed.wait_for(lambda: not self._is_between)
        except TimeoutError:
            raise self._why_not() from None
        finally:
            self._waiting_for_restart -= 1

    def _why_not(self) -> PaddockError:
        return self._failure or RunnerCrashed(
            f"`{self._spec.name}` is not loaded: it is {self._state.value}.",
            hint="Wait until it is loaded, or load it.",
        )

    def _given_up(self, reason: PaddockError, failures: int) -> PaddockError:
        return RunnerCrashed(
            f"`{self._spec.name}` was restarted {failures} times and is left alone now. {reason.message}",
            hint=f"{reason.hint} Then load it again.",
        )


def _load_options(spec: RunnerSpec) -> LoadOptions:
    return LoadOptions(
        name=spec.name,
        path=spec.path,
        format=spec.format,
        kind=spec.kind,
        context_window=spec.context_window,
        memory_bytes_max=spec.memory_bytes_max,
        queue_max=spec.queue_max,
        step_seconds_max=spec.step_seconds_max,
        batch_max=spec.batch_max,
        projector_path=spec.projector_path,
        draft_path=spec.draft_path,
        draft_name=spec.draft_name,
        ngram_speculation=spec.ngram_speculation,
        options=spec.options,
    )


async def _embed(request: EmbedRequest, link: Link) -> Embedded:
    return await link.embed(request)


async def _rerank(request: RerankRequest, link: Link) -> Reranked:
    return await link.rerank(request)
