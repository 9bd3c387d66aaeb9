"""One live runner process as the server sees it: what was asked for, what came, and whether it still lives."""

import asyncio
import contextlib
import itertools
import logging
import os
import signal
from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import Any, Final

from paddock.errors import Overloaded, PaddockError, ProtocolError, RunnerCrashed
from paddock.fleet.answers import Answer
from paddock.fleet.child import Child
from paddock.fleet.failures import error_of
from paddock.fleet.naming import in_line
from paddock.fleet.timing import FleetTiming
from paddock.runner.executor import LoadedModel
from paddock.runner.messages import (
    PROTOCOL_VERSION,
    Cancel,
    Count,
    Counted,
    Done,
    Embed,
    EmbedReply,
    Failed,
    Heartbeat,
    Hello,
    Load,
    Loaded,
    LoadFailed,
    Notice,
    Numbers,
    Refused,
    Rerank,
    RerankReply,
    Shutdown,
    StatsQuery,
    StatsReply,
    Step,
    Submit,
    ToRunner,
    ToServer,
    Warm,
    check_hello,
)
from paddock.runner.opening import LoadOptions
from paddock.runner.pictures import SentPictures
from paddock.vocabulary import Embedded, EmbedRequest, GenerateRequest, Reranked, RerankRequest

_log: Final = logging.getLogger(__name__)


class Link:
    """From `open` until `ended`. Whatever ends it, every waiter gets an error in bounded time and the process is gone."""

    def __init__(self, child: Child, options: LoadOptions, timing: FleetTiming) -> None:
        """Takes over `child`."""
        self._child = child
        self._channel = child.channel
        self._options = options
        self._timing = timing
        self._wire_ids = itertools.count(1)
        self._answers: dict[str, Answer] = {}
        self._pictures = SentPictures()
        self._calls: dict[int, asyncio.Future[Any]] = {}  # what a reply brings depends on what was asked
        self._works: set[str] = set()  # wire ids of calls that take the device's time, as answers do
        self._loaded: asyncio.Future[LoadedModel] = asyncio.get_running_loop().create_future()
        self._heard = False
        self._hung = False
        self._reason: PaddockError | None = None  # why it ends
        self.was_closed = False  # by us, not by what the process did
        self.unanswered: tuple[str, ...] = ()  # requests that were under way when it ended
        self._living = asyncio.create_task(self._live(), name=f"runner {options.name} {child.pid}")
        self.numbers = Numbers()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def said(self) -> str:
        """The end of what the process wrote to stderr."""
        return self._child.said()

    @property
    def is_over(self) -> bool:
        """Whether nothing can be asked of it any more."""
        return self._reason is not None

    @property
    def reason(self) -> PaddockError | None:
        """Why it ended: the very error that everybody who waited got."""
        return self._reason

    # Its life

    async def open(self) -> LoadedModel:
        """Wait until the model is loaded. Raises what loading raises; then, and when cancelled, the process is ended."""
        try:
            async with asyncio.timeout(self._timing.load_timeout_s):
                return await asyncio.shield(self._loaded)
        except TimeoutError:
            late = RunnerCrashed(
                f"`{self._options.name}` did not load within {self._timing.load_timeout_s:g} seconds.",
                hint="Check that its disk answers, or take a smaller model.",
            )
            await self.close(late)
            raise late from None
        except asyncio.CancelledError:
            await self.close(self._crash("was stopped while it loaded", hint="Load it again."))
            raise

    async def ended(self) -> PaddockError:
        """Wait until the process is gone, and say why."""
        await asyncio.shield(self._living)
        assert self._reason is not None, "a link ends for a reason"
        return self._reason

    async def close(self, reason: PaddockError) -> None:
        """Tell every waiter `reason`, ask the process to leave, and insist. Idempotent."""
        self.was_closed = self.was_closed or not self.is_over
        self._end_waiting(reason)
        self._channel.post(Shutdown())
        for number in (signal.SIGTERM, signal.SIGKILL):
            await asyncio.wait({self._living}, timeout=self._timing.stop_timeout_s)
            if self._living.done():
                return
            self._child.signal(number)
        await asyncio.shield(self._living)

    async def _live(self) -> None:
        ends = {asyncio.create_task(self._receive()), asyncio.create_task(self._watch())}
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            reason = next(iter(done)).result()
        finally:
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
            await self._child.end(timeout_s=self._timing.stop_timeout_s)
        self._end_waiting(reason)

    def _end_waiting(self, reason: PaddockError) -> None:
        """From now on everything that is asked of it fails with `reason`; the first one stays."""
        self._reason = self._reason or reason
        if not self._loaded.done():
            self._loaded.set_exception(self._reason)
            self._loaded.exception()  # whether or not somebody waits for it
        self.unanswered = self.unanswered or (*self._answers, *self._works)
        for answer in self._answers.values():
            answer.fail(self._reason)
        for reply in self._calls.values():
            if not reply.done():
                reply.set_exception(self._reason)
        self._answers.clear()

    # What can be asked of it

    async def submit(self, request: GenerateRequest) -> tuple[str, Answer]:
        """Send `request` on its way. Raises Overloaded, UsageError, RunnerCrashed."""
        self._check_room()
        # The wire has ids of its own: the asker's may come twice, and a cancelled one's last piece may still be on its way.
        wire_id, answer = f"{request.id}#{next(self._wire_ids)}", Answer(request.id)
        self._answers[wire_id] = answer
        try:
            await self._ask(Submit(replace(request, id=wire_id)))
        except BaseException:
            self.forget(wire_id)
            raise
        return wire_id, answer

    def forget(self, wire_id: str) -> None:
        """Nobody waits for this answer any more; the runner is told when it does not know."""
        if self._answers.pop(wire_id, None) is not None:
            self._channel.post(Cancel(wire_id))

    async def count(self, request: GenerateRequest) -> int:
        """The tokens of its prompt. Raises UsageError, RunnerCrashed."""
        with self._call() as (call, reply):
            await self._ask(Count(call, request))
            return await reply

    async def embed(self, request: EmbedRequest) -> Embedded:
        """Its vectors. Raises Overloaded, UsageError, RunnerCrashed. Whoever is cancelled here is cancelled there."""
        wire_id = f"{request.id}#{next(self._wire_ids)}"
        with self._work(wire_id) as (call, reply):
            await self._send(Embed(call, replace(request, id=wire_id)))
            return await reply

    async def rerank(self, request: RerankRequest) -> Reranked:
        """Its scores. Raises what `embed` raises."""
        wire_id = f"{request.id}#{next(self._wire_ids)}"
        with self._work(wire_id) as (call, reply):
            await self._send(Rerank(call, replace(request, id=wire_id)))
            return await reply

    async def warm(self, prefill_tokens: int, tokens: int) -> None:
        with self._call() as (call, reply):
            await self._send(Warm(call, prefill_tokens, tokens))
            await reply

    async def stats(self) -> Numbers:
        """Fresh numbers; the last known ones when the runner has no time to answer."""
        with self._call() as (call, reply):
            try:
                async with asyncio.timeout(self._timing.stats_timeout_s):
                    await self._send(StatsQuery(call))
                    return await reply
            except TimeoutError:
                return self.numbers

    @contextlib.contextmanager
    def _call(self) -> Generator[tuple[int, asyncio.Future[Any]]]:
        call, reply = next(self._wire_ids), asyncio.get_running_loop().create_future()
        self._calls[call] = reply
        try:
            yield call, reply
        finally:
            del self._calls[call]
            if not reply.cancel():
                reply.exception()  # it may never have been awaited

    @contextlib.contextmanager
    def _work(self, wire_id: str) -> Generator[tuple[int, asyncio.Future[Any]]]:
        """A call that waits its turn in the runner, and is called off there when nobody waits for it any more."""
        self._check_room()
        with self._call() as (call, reply):
            self._works.add(wire_id)
            try:
                yield call, reply
            except BaseException:
                if not reply.done() or reply.cancelled():
                    self._channel.post(Cancel(wire_id))
                raise
            finally:
                self._works.discard(wire_id)

    def _check_room(self) -> None:
        waiting = len(self._answers) + len(self._works)
        if waiting >= self._options.queue_max + self._options.batch_max:
            raise Overloaded(
                f"`{self._options.name}` has {waiting} requests to answer already.", hint="Try again in a moment."
            )

    async def _ask(self, message: Submit | Count) -> None:
        """Send it, and ahead of it the pictures that it shows and the runner does not have."""
        await self._send_all(self._pictures.frames(message))

    async def _send(self, message: Embed | Rerank | Warm | StatsQuery) -> None:
        await self._send_all((message,))

    async def _send_all(self, messages: Iterable[ToRunner]) -> None:
        if self._reason is not None:
            raise self._reason
        try:
            await self._channel.send_all(messages)
        except OSError:  # whoever reads from it finds out why
            raise await self.ended() from None

    # What comes from it

    async def _receive(self) -> PaddockError:
        """Take messages until there are no more. Returns why it ended."""
        try:
            await self._channel.send(Hello(PROTOCOL_VERSION, os.getpid()))
            await self._channel.send(Load(self._options, self._timing.heartbeat_s))
            first = await self._channel.receive()
            if first is not None:
                check_hello(first)
                while (message := await self._channel.receive()) is not None:
                    self._heard = True
                    if (failure := self._take(message)) is not None:
                        return failure
        except ProtocolError as error:
            return error
        except OSError:
            pass  # it ended before it read anything
        await self._child.exited(self._timing.stop_timeout_s)
        return self._crash(self._child.how_it_ended())

    def _take(self, message: ToServer) -> PaddockError | None:
        match message:
            case Step(events):
                for event in events:
                    if (answer := self._answers.get(event.id)) is not None:
                        answer.put(event)
                        if answer.finished:
                            del self._answers[event.id]
            case Heartbeat(busy_s, numbers):
                self.numbers, self._hung = numbers, busy_s > self._timing.step_max_s
            case StatsReply(call, numbers):
                self.numbers = numbers
                self._settle(call, numbers)
            case Counted(call, tokens):
                self._settle(call, tokens)
            case EmbedReply(call, embedded):
                self._settle(call, embedded)
            case RerankReply(call, reranked):
                self._settle(call, reranked)
            case Done(call):
                self._settle(call, self.numbers)
            case Refused(call, code, text, hint, param):
                self._settle(call, error_of(code, text, hint, param=param))
            case Loaded(model):
                if not self._loaded.done():
                    self._loaded.set_result(model)
            case Notice(event, requests, fields):
                told = "".join(f" {key}={value!r}" for key, value in fields.items())
                _log.warning(
                    "runner.%s name=%s pid=%d requests=%s%s",
                    event,
                    self._options.name,
                    self.pid,
                    in_line(requests),
                    told,
                )
            case LoadFailed(code, text, hint) | Failed(code, text, hint):
                return error_of(code, text, hint)
            case Hello():
                return ProtocolError("The runner said Hello twice.", hint="Restart Paddock.")
        return None

    def _settle(self, call: int, result: Numbers | int | Embedded | Reranked | PaddockError) -> None:
        reply = self._calls.get(call)
        if reply is None or reply.done():
            return
        if isinstance(result, PaddockError):
            reply.set_exception(result)
        else:
            reply.set_result(result)

    async def _watch(self) -> PaddockError:
        """Return when it shows no life. Counted in turns of ours: when we were stalled ourselves, nobody is blamed."""
        silent_turns, first_word = 0, False
        while True:
            await asyncio.sleep(self._timing.heartbeat_s)
            first_word = first_word or self._heard
            silent_turns = 0 if self._heard or not first_word else silent_turns + 1
            self._heard = False
            if silent_turns * self._timing.heartbeat_s >= self._timing.silence_max_s:
                return self._crash(f"showed no sign of life for {self._timing.silence_max_s:g} seconds")
            if self._hung and self._loaded.done():
                return self._crash(f"was at one step for more than {self._timing.step_max_s:g} seconds")

    def _crash(self, how: str, *, hint: str | None = None) -> RunnerCrashed:
        words = self._child.last_words()
        said = f"It last said: {words} " if words else ""
        return RunnerCrashed(
            f"The process of `{self._options.name}` {how}.",
            hint=hint or f"{said}Try again: it is started anew.",
        )
