"""Models in memory. One event loop; between two awaits nothing of it changes.

Whatever happens (a request comes or goes, a load ends, a timer rings) leads to `_settle`, which looks at everything, asks
the pure functions of `planning.py` what to do, and does it. So there are no locks, and no order of events to get wrong.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from paddock.errors import Defect, PaddockError
from paddock.fleet.fleet import Fleet, Runner, RunnerSpec, RunnerState, RunnerStats
from paddock.library.keepalive import KeepAlive
from paddock.library.records import ModelRecord
from paddock.pool import refusals
from paddock.pool.counting import Counting, Reason
from paddock.pool.held import Held, named
from paddock.pool.lease import Lease
from paddock.pool.machine import MachineMemory, read_memory, short_of
from paddock.pool.observer import Nobody, PoolObserver
from paddock.pool.planning import choose_under_pressure, choose_victims, make_plan
from paddock.pool.settings import PoolSettings
from paddock.pool.specs import Need
from paddock.pool.status import Loaded, PoolStatus, Unloaded, WaitingFor
from paddock.pool.waiting import Waiter, counts, wanted
from paddock.vocabulary import Priority

_log: Final = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())
_SOON_S: Final = 0.001  # a timer rings no sooner: clocks round


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
        self._fleet = fleet
        self._find = find
        self._predict = predict
        self._spec = spec
        self._tell_loaded = loaded
        self._tell_leaves = leaves
        self._settings = settings
        self._memory = memory
        self._clock = clock
        self._counting = Counting(observer or Nobody())
        self._held: dict[str, Held] = {}
        self._waiters: list[Waiter] = []
        self._pins: dict[str, bool] = {}  # what was said since the start; stands above record and configuration
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None
        self._quiet: asyncio.Future[None] | None = None  # somebody waits until nobody uses anything
        self._draining = False
        self._closed = False

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
        held = self._held.get(record.name)
        was_loaded = held is not None and held.takes_requests
        before = self._pins.get(record.name)
        self._say_pinned(record.name, pin)
        try:
            async with self.lease(record.name, user="load") as lease:
                if warm:
                    await lease.runner.warm(prefill_tokens=_prefill(lease.runner))
                held = self._held[record.name]
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
            pinned=self._is_pinned(record),
            warmed=bool(warm) or (self._settings.warm_up and not was_loaded),
        )

    async def preload(self, names: Sequence[str] = ()) -> None:
        """Load what the settings name, and `names`. One that cannot be loaded is logged and left out."""
        for name in dict.fromkeys((*self._settings.preload, *sorted(self._settings.pinned), *names)):
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
        held = self._held.get(name) or self._held.get((await self._find(name)).name)
        if held is None:
            return Unloaded(name=name, was_loaded=False, freed_bytes=0, ended=0)
        waiting = [waiter for waiter in self._waiters if waiter.name == held.name]
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
                self._begin_leaving(held, Reason.UNLOADED)
            else:
                held.retiring = True
        await held.gone.wait()
        return Unloaded(name=held.name, was_loaded=True, freed_bytes=held.room_bytes, ended=ended)

    async def _unload_loading(self, held: Held, waiting: Sequence[Waiter], *, force: bool, wait: bool) -> int:
        """It is not there yet: stop its load, or wait for its end. How many requests that ended."""
        assert held.load is not None, "it neither loads nor is loaded"
        if waiting and not force and not wait:
            raise refusals.in_use(held.name, named(waiter.user for waiter in waiting))
        if waiting and not force:
            await asyncio.wait([held.load])
            return 0
        for waiter in waiting:
            self._refuse(waiter, refusals.unloaded_meanwhile(held.name))
        held.load.cancel()
        return len(waiting)

    async def clear(self) -> Sequence[str]:
        """Take everything out of memory that is neither pinned nor in use; the names."""
        leaving = [held for held in self._held.values() if held.is_idle and not self._is_pinned(held.record)]
        for held in leaving:
            self._begin_leaving(held, Reason.UNLOADED)
        await asyncio.gather(*(held.gone.wait() for held in leaving))
        return [held.name for held in leaving]

    async def pin(self, name: str, *, pinned: bool) -> None:
        """Whether the model stays in memory once it is there. Does not load it."""
        self._say_pinned((await self._find(name)).name, pinned)

    # Looking

    def users_of(self, name: str) -> Sequence[str]:
        """Who has the model of this (canonical) name in memory, waits for it or uses it; empty when it is not there."""
        held = self._held.get(name)
        users = [lease.user for lease in held.leases] if held is not None else []
        users += [waiter.user for waiter in self._waiters if waiter.name == name]
        if not users and held is not None:
            return ("the server, which has it in memory",)
        return named(users)

    def status(self) -> PoolStatus:
        now = self._clock()
        waiting = counts(self._waiters)
        absent = {name: count for name, count in waiting.items() if name not in self._held}
        used = sum(held.room_bytes for held in self._held.values())
        return PoolStatus(
            models={
                name: held.look(pinned=self._is_pinned(held.record), waiting=waiting.get(name, 0))
                for name, held in sorted(self._held.items())
            },
            waiting=tuple(
                WaitingFor(
                    name=name,
                    requests=count,
                    longest_s=max(now - waiter.arrived_at for waiter in self._waiters if waiter.name == name),
                )
                for name, count in sorted(absent.items())
            ),
            preset=self._settings.preset,
            policy=self._settings.policy.value,
            max_models=self._settings.max_models,
            budget_bytes=self._settings.budget_bytes,
            used_bytes=used,
            free_bytes=max(0, self._settings.budget_bytes - used),
            counters=self._counting.counters,
            now=now,
        )

    async def stats(self) -> Mapping[str, RunnerStats]:
        """A look at every model that is ready."""
        ready = {held.name: held.runner for held in self._held.values() if held.is_ready and held.runner is not None}
        answers = await asyncio.gather(*(runner.stats() for runner in ready.values()))
        return dict(zip(ready, answers, strict=True))

    # Ending

    async def drain(self) -> None:
        """Take no new requests, and return when all that were taken have ended."""
        self._draining = True
        while self._waiters or any(held.leases for held in self._held.values()):
            if self._quiet is None:
                self._quiet = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._quiet)

    async def close(self) -> None:
        """End everything: requests that wait get an error, models leave. Idempotent."""
        self._draining = self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for waiter in tuple(self._waiters):
            self._refuse(waiter, refusals.ending(waiter.name))
        tasks = [self._watch] if self._watch is not None else []
        for held in tuple(self._held.values()):
            if held.runner is None and held.load is not None:
                held.load.cancel()
            elif not held.leaving:
                self._begin_leaving(held, Reason.UNLOADED)
            tasks += [task for task in (held.load, held.leave) if task is not None]
        if self._watch is not None:
            self._watch.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # One request

    async def _enter(
        self, name: str, user: str, priority: Priority, deadline_s: float | None, keep_alive: str | None
    ) -> Lease:
        stays_s = KeepAlive.parse(keep_alive).seconds if keep_alive is not None else None
        began = self._clock()
        try:
            self._check_open(name)
            held = self._held.get(name)
            record = held.record if held is not None and held.takes_requests else await self._find(name)
            held = self._held.get(record.name)
            if held is not None and held.takes_requests:
                self._counting.hit(held.name)
                return self._grant(held, user, sets_keep_alive=keep_alive is not None, keep_alive_s=stays_s)
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
            self._counting.missed()
            return await self._wait(waiter)
        except PaddockError as error:
            self._counting.refused(name, error.code)
            raise

    def _check_open(self, name: str) -> None:
        if self._draining:
            raise refusals.ending(name)

    async def _need(self, record: ModelRecord) -> Need:
        """What it takes. Raises NotEnoughMemory when that is more than the pool has, and what forbids running it."""
        held = self._held.get(record.name)
        if held is not None:
            return held.need
        self._spec(record)
        need = await self._predict(record)
        if need.room_bytes > self._settings.budget_bytes:
            raise refusals.too_large(record.name, need.room_bytes, self._settings.limits)
        return need

    async def _wait(self, waiter: Waiter) -> Lease:
        if len(self._waiters) >= self._settings.queue_max:
            raise refusals.queue_is_full(waiter.name, len(self._waiters), retry_after_s=self._turn_length_s())
        self._waiters.append(waiter)
        self._settle()
        try:
            return await waiter.granted
        except BaseException:
            # Its owner may have left in the very moment in which it was granted.
            if waiter.granted.done() and not waiter.granted.cancelled() and waiter.granted.exception() is None:
                waiter.granted.result().release()
            raise
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
                self._settle()

    def _grant(self, held: Held, user: str, *, sets_keep_alive: bool, keep_alive_s: float | None) -> Lease:
        assert held.runner is not None, "only what is loaded can be used"
        if sets_keep_alive:
            held.keep_alive_s = keep_alive_s
        lease = Lease(held.record, held.runner, user=user, on_release=lambda lease: self._released(held, lease))
        held.leases.add(lease)
        held.was_used = True
        held.used_at = self._clock()
        return lease

    def _released(self, held: Held, lease: Lease) -> None:
        held.leases.discard(lease)
        held.idle_since = self._clock()
        self._settle()

    def _refuse(self, waiter: Waiter, error: PaddockError) -> None:
        self._waiters.remove(waiter)
        if not waiter.granted.done():
            waiter.granted.set_exception(error)

    # What to do now

    def _settle(self) -> None:
        """Look at everything and do what is due. Called whenever something has changed."""
        if self._closed:
            return
        now = self._clock()
        for held in tuple(self._held.values()):
            if held.is_over:
                self._begin_leaving(held, Reason.FAILED)
            elif held.retiring and held.is_idle:
                self._begin_leaving(held, Reason.UNLOADED)
        self._grant_waiters()
        self._expire(now)
        self._give_up(now)
        self._make_room(now)
        self._grant_waiters()
        self._set_timer(now)
        if self._quiet is not None and not self._waiters and not any(held.leases for held in self._held.values()):
            self._quiet.set_result(None)
            self._quiet = None

    def _grant_waiters(self) -> None:
        for waiter in sorted(self._waiters, key=lambda one: one.rank(self._settings.turn_s)):
            held = self._held.get(waiter.name)
            if held is not None and held.takes_requests and not waiter.granted.done():
                self._waiters.remove(waiter)
                waiter.granted.set_result(
                    self._grant(
                        held, waiter.user, sets_keep_alive=waiter.sets_keep_alive, keep_alive_s=waiter.keep_alive_s
                    )
                )

    def _expire(self, now: float) -> None:
        for held in tuple(self._held.values()):
            expires_at = held.expires_at(pinned=self._is_pinned(held.record))
            if expires_at is not None and expires_at <= now:
                self._begin_leaving(held, Reason.IDLE)

    def _give_up(self, now: float) -> None:
        for waiter in tuple(self._waiters):
            held = self._held.get(waiter.name)
            loads = held is not None and held.runner is None
            if waiter.deadline_at is not None and now >= waiter.deadline_at:
                self._refuse(waiter, refusals.deadline_passed(waiter.name))
            elif not loads and (now >= waiter.give_up_at or (held is None and self._is_hopeless(waiter))):
                self._refuse(waiter, self._why_no_room(waiter))

    def _is_hopeless(self, waiter: Waiter) -> bool:
        """Whether pinned models alone leave too little: waiting changes nothing."""
        pinned = [held for held in self._held.values() if not held.leaving and self._is_pinned(held.record)]
        limits = self._settings.limits
        room = limits.room_bytes - sum(held.room_bytes for held in pinned)
        return waiter.need.room_bytes > room or len(pinned) >= limits.models

    def _why_no_room(self, waiter: Waiter) -> PaddockError:
        limits = self._settings.limits
        staying = [
            held
            for held in self._held.values()
            if not held.leaving and (held.leases or held.runner is None or self._is_pinned(held.record))
        ]
        free_bytes = limits.room_bytes - sum(held.room_bytes for held in staying)
        if waiter.need.room_bytes <= free_bytes and len(staying) < limits.models:
            ahead = len(counts(self._waiters).keys() - {waiter.name})
            return refusals.waited_too_long(
                waiter.name, self._settings.wait_max_s, ahead=ahead, retry_after_s=self._turn_length_s()
            )
        return refusals.no_room(
            waiter.name,
            waiter.need.room_bytes,
            free_bytes=free_bytes,
            free_models=limits.models - len(staying),
            limits=limits,
            holders=[self._holder(held) for held in staying],
        )

    def _holder(self, held: Held) -> str:
        if self._is_pinned(held.record):
            return f"`{held.name}` (pinned)"
        if held.leases:
            return f"`{held.name}` (in use by {', '.join(named(lease.user for lease in held.leases))})"
        return f"`{held.name}` (being loaded)"

    def _make_room(self, now: float) -> None:
        settings = self._settings
        residents = [held.resident(pinned=self._is_pinned(held.record)) for held in self._held.values()]
        groups = wanted(
            (waiter for waiter in self._waiters if waiter.name not in self._held), now=now, turn_s=settings.turn_s
        )
        plan = make_plan(residents, groups, settings.limits, policy=settings.policy, now=now)
        for held in self._held.values():
            held.draining = held.name in plan.drain
        over_bytes = sum(one.room_bytes for one in residents) - settings.budget_bytes
        for name in plan.evict or choose_victims(residents, over_bytes, policy=settings.policy):
            self._begin_leaving(self._held[name], Reason.ROOM)
        unclaimed = -over_bytes - sum(group.room_bytes for group in groups)
        share = settings.budget_bytes // settings.max_models
        for name in plan.load:
            waiters = [waiter for waiter in self._waiters if waiter.name == name]
            most = max(waiters, key=lambda waiter: waiter.need.room_bytes)
            need_bytes = most.need.room_bytes
            extra_bytes = max(
                0, min(share - need_bytes, need_bytes, unclaimed)
            )  # a small one has no use for a large share
            unclaimed -= extra_bytes
            self._begin_load(most.record, most.need, need_bytes + extra_bytes, now)

    def _set_timer(self, now: float) -> None:
        """Ring when the next thing is due that nobody would tell of."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due: list[float] = []
        for held in self._held.values():
            expires_at = held.expires_at(pinned=self._is_pinned(held.record))
            due += [expires_at] if expires_at is not None else []
            due += [held.stays_until] if self._waiters and held.stays_until > now else []
        for waiter in self._waiters:
            due += [waiter.deadline_at] if waiter.deadline_at is not None else []
            due += [at for at in (waiter.arrived_at + self._settings.turn_s, waiter.give_up_at) if at > now]
        if due:
            wait_s = max(min(due) - now, _SOON_S)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._settle)

    # Coming and going

    def _begin_load(self, record: ModelRecord, need: Need, granted_bytes: int, now: float) -> None:
        held = Held(
            record=record,
            need=need,
            granted_bytes=granted_bytes,
            keep_alive_s=self._settings.keep_alive_of(record),
            used_at=now,
            idle_since=now,
        )
        self._held[record.name] = held
        held.load = asyncio.create_task(self._load(held), name=f"load of {record.name}")
        if self._watch is None:
            self._watch = asyncio.create_task(self._keep_watch(), name="watch of the pool")

    async def _load(self, held: Held) -> None:
        began = self._clock()
        try:
            runner = await self._start(held)
        except asyncio.CancelledError:
            self._load_failed(held, refusals.unloaded_meanwhile(held.name))
            raise
        except PaddockError as error:
            self._load_failed(held, error)
            return
        except Exception:  # noqa: BLE001 (a task's boundary: whoever waits must hear of it)
            _log.exception("pool.load_broke name=%s", held.name)
            self._load_failed(
                held, Defect(f"`{held.name}` could not be loaded.", hint="The log has more; please report it.")
            )
            return
        now = self._clock()
        held.runner, held.loaded_at, held.load_seconds, held.idle_since = runner, now, now - began, now
        if any(waiter.name == held.name for waiter in self._waiters):  # else nobody wants it: it may leave at once
            held.stays_until = now + min(held.load_seconds, self._settings.residency_s)
        self._counting.loaded(held.name, held.load_seconds, held.room_bytes)
        _log.info("pool.loaded name=%s bytes=%d seconds=%.3f", held.name, held.measured_bytes or 0, held.load_seconds)
        self._settle()
        try:
            await self._tell_loaded(held.record, runner)
        except PaddockError as error:
            _log.warning("pool.load_not_kept name=%s reason=%s", held.name, error.message)

    async def _start(self, held: Held) -> Runner:
        runner = await self._fleet.start(replace(self._spec(held.record), memory_bytes_max=held.runner_bytes_max))
        try:
            held.measured_bytes = runner.model.memory_bytes
            if self._settings.warm_up:
                await _warm_up(held.name, runner)
        except BaseException:
            await runner.stop()
            raise
        return runner

    def _load_failed(self, held: Held, error: PaddockError) -> None:
        del self._held[held.name]
        held.leaving = True
        held.gone.set()
        self._counting.load_failed()
        _log.warning("pool.load_failed name=%s code=%s reason=%s", held.name, error.code, error.message)
        for waiter in tuple(self._waiters):
            if waiter.name == held.name:
                self._refuse(waiter, error)
        self._settle()

    def _begin_leaving(self, held: Held, reason: Reason) -> None:
        held.leaving = True
        self._counting.left(held.name, reason)
        _log.info("pool.unloading name=%s reason=%s bytes=%d", held.name, reason.value, held.room_bytes)
        held.leave = asyncio.create_task(self._leave(held), name=f"unload of {held.name}")

    async def _leave(self, held: Held) -> None:
        assert held.runner is not None, "what loads is cancelled, not stopped"
        try:
            if held.was_used and held.runner.state is RunnerState.READY:
                await self._tell_leaves(held.record, held.runner)
        except PaddockError as error:
            _log.warning("pool.leaving_not_told name=%s reason=%s", held.name, error.message)
        try:
            await held.runner.stop()
        finally:
            del self._held[held.name]
            held.gone.set()
            self._settle()

    async def _keep_watch(self) -> None:
        """Look at the machine's memory, and for runners that ended for good, for as long as the pool lives."""
        while True:
            await asyncio.sleep(self._settings.pressure_check_s)
            residents = [held.resident(pinned=self._is_pinned(held.record)) for held in self._held.values()]
            short_bytes = short_of(self._memory(), self._settings.pressure_min)
            coming = sum(one.room_bytes for one in residents if self._held[one.name].leaving)
            for name in choose_under_pressure(residents, short_bytes - coming, policy=self._settings.policy):
                _log.warning("pool.pressure name=%s short_bytes=%d", name, short_bytes)
                self._begin_leaving(self._held[name], Reason.PRESSURE)
            self._settle()

    # Small things

    def _is_pinned(self, record: ModelRecord) -> bool:
        return self._pins.get(record.name, record.pinned or record.name in self._settings.pinned)

    def _say_pinned(self, name: str, pinned: bool | None) -> None:
        if pinned is None:
            return
        self._pins[name] = pinned
        self._settle()

    def _turn_length_s(self) -> float:
        """About how long it takes until somebody else has a turn."""
        counters = self._counting.counters
        average_s = counters.load_seconds / counters.loads if counters.loads else 1.0
        return min(max(average_s, 1.0), 60.0)


async def _warm_up(name: str, runner: Runner) -> None:
    try:
        await runner.warm(prefill_tokens=_prefill(runner))
    except PaddockError as error:  # it is loaded all the same
        _log.warning("pool.warm_up_failed name=%s reason=%s", name, error.message)


def _prefill(runner: Runner) -> int:
    """A warm-up's prompt, of at most half the context."""
    return min(128, max(1, runner.model.context_window // 2))
