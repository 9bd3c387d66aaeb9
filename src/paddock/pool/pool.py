"""Models in memory: the room's one door. What happens behind it is in `room.py`."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from paddock.errors import PaddockError
from paddock.fleet.fleet import Fleet, Runner, RunnerSpec, RunnerStats
from paddock.library.keepalive import KeepAlive
from paddock.library.records import ModelRecord
from paddock.pool import refusals
from paddock.pool.counting import Counting, Reason
from paddock.pool.foreseeing import foresee
from paddock.pool.held import Held, named
from paddock.pool.lease import Lease
from paddock.pool.machine import MachineMemory, read_memory
from paddock.pool.moving import Mover, warm_up_tokens
from paddock.pool.observer import Nobody, PoolObserver
from paddock.pool.room import Room
from paddock.pool.settings import PoolSettings
from paddock.pool.specs import Need
from paddock.pool.status import LimitsPreview, Loaded, PoolStatus, Unloaded, WaitingFor
from paddock.pool.waiting import Waiter, counts
from paddock.vocabulary import Priority

_log: Final = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())


class Pool:
    """Who may use which model now. Every failure is a PaddockError."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        find: Callable[[str], Awaitable[ModelRecord]],
        predict: Callable[[ModelRecord], Awaitable[Need]],
        spec: Callable[[ModelRecord], RunnerSpec],
        loaded: Callable[[ModelRecord, Runner], Awaitable[object]],
        leaves: Callable[[ModelRecord, Runner], Awaitable[object]],
        settings: PoolSettings,
        memory: Callable[[], MachineMemory] = read_memory,
        clock: Callable[[], float] = time.monotonic,
        observer: PoolObserver | None = None,
    ) -> None:
        """`find` turns a name or alias into a record or raises ModelNotFound; `predict` tells the bytes that a model will
        take; `spec` how to run it (and raises Incompatible); `loaded` hears of every load, `leaves` of every model that
        answered something and is about to be stopped. `clock` runs like the loop's."""
        self._find = find
        self._predict = predict
        self._spec = spec
        self._settings = settings
        self._clock = clock
        self._draining = False
        self._room = Room(
            mover=Mover(fleet=fleet, spec=spec, loaded=loaded, leaves=leaves),
            settings=settings,
            memory=memory,
            clock=clock,
            counting=Counting(observer or Nobody()),
        )

    # Using models

    @asynccontextmanager
    async def lease(
        self,
        name: str,
        *,
        user: str,
        priority: Priority = Priority.NORMAL,
        deadline_s: float | None = None,
        keep_alive: str | None = None,
    ) -> AsyncGenerator[Lease]:
        """The model, in memory until the block ends; it is loaded first if it must be.

        `keep_alive`: how long it then stays unused, until somebody says otherwise. Raises ModelNotFound, NotEnoughMemory for
        a model that is too large for this pool, NoRoom when the models in memory cannot leave, Overloaded when too many
        wait, DeadlinePassed, and whatever its load raises.
        """
        lease = await self._enter(name, user, priority, deadline_s, keep_alive)
        try:
            yield lease
        finally:
            lease.release()

    async def load(self, name: str, *, pin: bool | None = None, warm: bool | None = None) -> Loaded:
        """Have the model in memory. Idempotent. `warm` None is as the settings say, which is when it is loaded."""
        record = await self._find(name)
        held = self._room.held.get(record.name)
        was_loaded = held is not None and held.takes_requests
        before = self._room.pins.said.get(record.name)
        if pin is not None:
            self._say_pinned(record.name, pin)
        try:
            async with self.lease(record.name, user="load") as lease:
                if warm:
                    await lease.runner.warm(prefill_tokens=warm_up_tokens(lease.runner))
                held = self._room.held[record.name]
        except BaseException:
            if pin is not None:
                self._say_pinned(record.name, before)
            raise
        return Loaded(
            name=record.name,
            was_loaded=was_loaded,
            load_seconds=held.load_seconds or 0.0,
            memory_bytes=held.measured_bytes or held.need.room_bytes,
            size_bytes=record.size_bytes,
            pinned=self._room.pins.of(record),
            warmed=bool(warm) or (self._settings.warm_up and not was_loaded),
        )

    async def preload(self, names: Sequence[str] = ()) -> None:
        """Load what the settings name, and `names`, side by side as far as there is room. One that cannot be loaded is
        logged and left out."""
        wanted = dict.fromkeys((*self._settings.preload, *sorted(self._settings.pinned), *names))
        async with asyncio.TaskGroup() as loads:
            for name in wanted:
                loads.create_task(self._preload(name))

    async def _preload(self, name: str) -> None:
        try:
            await self.load(name)
        except PaddockError as error:
            _log.warning("pool.preload_failed name=%s code=%s reason=%s", name, error.code, error.message)

    async def warm(
        self, name: str, *, prefill_tokens: int = 128, tokens: int = 4, keep_loaded: bool | None = None
    ) -> None:
        """Run a prompt through the model, so that the next finds everything ready.

        `keep_loaded` True keeps it in memory from then on, False unloads it afterwards, None leaves that as it is.
        """
        keep_alive = {True: "forever", False: "0", None: None}[keep_loaded]
        async with self.lease(name, user="warm-up", keep_alive=keep_alive) as lease:
            await lease.runner.warm(prefill_tokens=prefill_tokens, tokens=tokens)

    # Taking them out

    async def unload(self, name: str, *, force: bool = False, wait: bool = False) -> Unloaded:
        """Take the model out of memory; returns when its memory is back. Fine when it is not there.

        Raises InUse with who uses it, unless `wait` (it takes no new requests and leaves when the running ones are done) or
        `force` (they end with an error).
        """
        if name not in self._room.held:
            name = (await self._find(name)).name
        held = self._room.held.get(name)
        if held is None:
            return Unloaded(name=name, was_loaded=False, freed_bytes=0, ended=0)
        waiting = [waiter for waiter in self._room.waiters if waiter.name == held.name]
        ended = 0
        if held.runner is None:
            ended = await self._unload_loading(held, waiting, force=force, wait=wait)
        if held.leases and not held.leaving:
            if force:
                ended += len(held.leases)
            elif not wait:
                raise refusals.in_use(held.name, named(lease.user for lease in held.leases))
        if held.is_ready:
            if force or not held.leases:
                self._room.begin_leaving(held, Reason.UNLOADED)
            else:
                held.retiring = True
        await held.gone.wait()
        return Unloaded(name=held.name, was_loaded=True, freed_bytes=held.measured_bytes or 0, ended=ended)

    async def _unload_loading(self, held: Held, waiting: Sequence[Waiter], *, force: bool, wait: bool) -> int:
        """It is not there yet: stop its load, or wait for its end. How many requests that ended."""
        assert held.load is not None, "it neither loads nor is loaded"
        if waiting and not force and not wait:
            raise refusals.in_use(held.name, named(waiter.user for waiter in waiting))
        if waiting and not force:
            await asyncio.wait([held.load])
            return 0
        for waiter in waiting:
            self._room.refuse(waiter, refusals.unloaded_meanwhile(held.name))
        held.load.cancel()
        return len(waiting)

    async def clear(self) -> Sequence[str]:
        """Take everything out of memory that is neither pinned nor in use; the names."""
        leaving = [held for held in self._room.held.values() if held.is_idle and not self._room.is_pinned(held)]
        for held in leaving:
            self._room.begin_leaving(held, Reason.UNLOADED)
        await asyncio.gather(*(held.gone.wait() for held in leaving))
        return [held.name for held in leaving]

    async def pin(self, name: str, *, pinned: bool) -> None:
        """Whether the model stays in memory once it is there. Does not load it."""
        self._say_pinned((await self._find(name)).name, pinned)

    def reconfigure(self, settings: PoolSettings) -> None:
        """These settings hold from now on: who is too many leaves, but nobody who is in use. What was said of a single
        model, by a request or a person, still stands; requests that wait keep the time that they came with."""
        self._settings = settings
        self._room.reconfigure(settings)

    # Looking

    def preview(self, settings: PoolSettings) -> LimitsPreview:
        """What `reconfigure` would do at once with these settings. Does nothing."""
        residents = [held.resident(pinned=self._room.pins.of(held.record)) for held in self._room.held.values()]
        return foresee(residents, settings)

    def users_of(self, name: str) -> Sequence[str]:
        """Who has the model of this (canonical) name in memory, waits for it or uses it; empty when it is not there."""
        held = self._room.held.get(name)
        users = [lease.user for lease in held.leases] if held is not None else []
        users += [waiter.user for waiter in self._room.waiters if waiter.name == name]
        if not users and held is not None:
            return ("the server, which has it in memory",)
        return named(users)

    def status(self) -> PoolStatus:
        now = self._clock()
        waiting = counts(self._room.waiters)
        absent = {name: count for name, count in waiting.items() if name not in self._room.held}
        used = sum(held.room_bytes for held in self._room.held.values())
        return PoolStatus(
            models={
                name: held.look(pinned=self._room.is_pinned(held), waiting=waiting.get(name, 0))
                for name, held in sorted(self._room.held.items())
            },
            waiting=tuple(
                WaitingFor(
                    name=name,
                    requests=count,
                    longest_s=max(now - waiter.arrived_at for waiter in self._room.waiters if waiter.name == name),
                )
                for name, count in sorted(absent.items())
            ),
            preset=self._settings.preset,
            policy=self._settings.policy.value,
            max_models=self._settings.max_models,
            budget_bytes=self._settings.budget_bytes,
            used_bytes=used,
            free_bytes=max(0, self._settings.budget_bytes - used),
            counters=self._room.counting.counters,
            now=now,
        )

    async def stats(self) -> Mapping[str, RunnerStats]:
        """A look at every model that is ready."""
        ready = {
            held.name: held.runner for held in self._room.held.values() if held.is_ready and held.runner is not None
        }
        answers = await asyncio.gather(*(runner.stats() for runner in ready.values()))
        return dict(zip(ready, answers, strict=True))

    # Ending

    async def drain(self) -> None:
        """Take no new requests, and return when all that were taken have ended."""
        self._draining = True
        await self._room.quiet()

    async def close(self) -> None:
        """End everything: requests that wait get an error, models leave. Idempotent."""
        self._draining = True
        self._room.stop()
        for waiter in tuple(self._room.waiters):
            self._room.refuse(waiter, refusals.ending(waiter.name))
        tasks = [self._room.watch] if self._room.watch is not None else []
        for held in tuple(self._room.held.values()):
            if held.runner is None and held.load is not None:
                held.load.cancel()
            elif not held.leaving:
                self._room.begin_leaving(held, Reason.UNLOADED)
            tasks += [task for task in (held.load, held.leave) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    # One request

    async def _enter(
        self, name: str, user: str, priority: Priority, deadline_s: float | None, keep_alive: str | None
    ) -> Lease:
        stays_s = KeepAlive.parse(keep_alive).seconds if keep_alive is not None else None
        began = self._clock()
        try:
            self._check_open(name)
            held = self._room.held.get(name)
            record = held.record if held is not None and held.takes_requests else await self._find(name)
            held = self._room.held.get(record.name)
            if held is not None and held.takes_requests:
                self._room.counting.hit(held.name)
                return self._room.grant(held, user, sets_keep_alive=keep_alive is not None, keep_alive_s=stays_s)
            need = await self._need(record)
            self._check_open(name)
            waiter = Waiter(
                record=record,
                need=need,
                user=user,
                priority=priority,
                sets_keep_alive=keep_alive is not None,
                keep_alive_s=stays_s,
                arrived_at=began,
                give_up_at=began + self._settings.wait_max_s,
                deadline_at=None if deadline_s is None else began + deadline_s,
                granted=asyncio.get_running_loop().create_future(),
            )
            self._room.counting.missed()
            return await self._room.wait(waiter)
        except PaddockError as error:
            self._room.counting.refused(name, error.code)
            raise

    def _say_pinned(self, name: str, pinned: bool | None) -> None:
        """None takes back what was said."""
        if pinned is None:
            self._room.pins.said.pop(name, None)
        else:
            self._room.pins.said[name] = pinned
        self._room.settle()

    def _check_open(self, name: str) -> None:
        if self._draining:
            raise refusals.ending(name)

    async def _need(self, record: ModelRecord) -> Need:
        """What it takes. Raises NotEnoughMemory when that is more than the pool has, and what forbids running it."""
        held = self._room.held.get(record.name)
        if held is not None:
            return held.need
        self._spec(record)
        need = await self._predict(record)
        if need.room_bytes > self._settings.budget_bytes:
            raise refusals.too_large(record.name, need.room_bytes, self._settings.limits)
        return need
