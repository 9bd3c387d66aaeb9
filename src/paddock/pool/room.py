"""What takes room, who waits for it, and what happens next.

Whatever happens (a request comes or goes, a load ends, a timer rings) leads to `settle`, which looks at everything, asks
the pure functions of `planning.py` what to do, and does it. So there are no locks, and no order of events to get wrong.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from paddock.errors import Defect, PaddockError
from paddock.library.records import ModelRecord
from paddock.pool import refusals
from paddock.pool.counting import Counting, Reason
from paddock.pool.explaining import is_hopeless, why_no_room
from paddock.pool.held import Held
from paddock.pool.lease import Lease
from paddock.pool.machine import MachineMemory, free_for_models, short_of
from paddock.pool.moving import Mover
from paddock.pool.planning import Limits, choose_in_excess, choose_under_pressure, make_plan
from paddock.pool.settings import PoolSettings
from paddock.pool.specs import Need
from paddock.pool.waiting import Waiter, counts, wanted

_log: Final = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())
_SOON_S: Final = 0.001  # a timer rings no sooner: clocks round


class Pins:
    """Which models stay in memory: what was said since the start, else the model's record, else the configuration."""

    def __init__(self, configured: frozenset[str]) -> None:
        self.configured = configured
        self.said: dict[str, bool] = {}

    def of(self, record: ModelRecord) -> bool:
        return self.said.get(record.name, record.pinned or record.name in self.configured)


class Room:
    """The state of a pool. One event loop; between two awaits nothing of it changes."""

    def __init__(
        self,
        *,
        mover: Mover,
        settings: PoolSettings,
        memory: Callable[[], MachineMemory],
        clock: Callable[[], float],
        counting: Counting,
    ) -> None:
        self.held: dict[str, Held] = {}
        self.waiters: list[Waiter] = []
        self.pins = Pins(settings.pinned)
        self.counting = counting
        self.closed = False
        self.watch: asyncio.Task[None] | None = None
        self._mover = mover
        self._settings = settings
        self._memory = memory
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._quiet: asyncio.Future[None] | None = None  # somebody waits until nobody uses anything

    async def quiet(self) -> None:
        """Returns when nobody uses anything or waits for it."""
        while not self._is_quiet():
            if self._quiet is None:
                self._quiet = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._quiet)

    def _is_quiet(self) -> bool:
        return not self.waiters and not any(held.leases for held in self.held.values())

    def reconfigure(self, settings: PoolSettings) -> None:
        """These settings hold from now on. What is in use stays, however much less is allowed."""
        self._settings = settings
        self.pins.configured = settings.pinned
        for held in self.held.values():
            if not held.keep_alive_said:
                held.keep_alive_s = settings.keep_alive_of(held.record)
        self.settle()

    def stop(self) -> None:
        """From now on nothing happens by itself."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self.watch is not None:
            self.watch.cancel()

    # One request

    def grant(self, held: Held, user: str, *, sets_keep_alive: bool, keep_alive_s: float | None) -> Lease:
        """A lease of what is ready."""
        assert held.runner is not None, "only what is loaded can be used"
        if sets_keep_alive:
            held.keep_alive_s, held.keep_alive_said = keep_alive_s, True
        lease = Lease(held.record, held.runner, user=user, on_release=lambda lease: self._released(held, lease))
        held.leases.add(lease)
        held.was_used = True
        held.used_at = self._clock()
        return lease

    def _released(self, held: Held, lease: Lease) -> None:
        held.leases.discard(lease)
        held.idle_since = self._clock()
        self.settle()

    def refuse(self, waiter: Waiter, error: PaddockError) -> None:
        """It waits no longer."""
        self.waiters.remove(waiter)
        if not waiter.granted.done():
            waiter.granted.set_exception(error)

    async def wait(self, waiter: Waiter) -> Lease:
        """Until the model is there. Raises why it will not be."""
        if len(self.waiters) >= self._settings.queue_max:
            raise refusals.queue_is_full(waiter.name, len(self.waiters), retry_after_s=self._turn_length_s())
        self.waiters.append(waiter)
        self.settle()
        try:
            return await waiter.granted
        except BaseException:
            # Its owner may have left in the very moment in which it was granted.
            if waiter.granted.done() and not waiter.granted.cancelled() and waiter.granted.exception() is None:
                waiter.granted.result().release()
            raise
        finally:
            if waiter in self.waiters:
                self.waiters.remove(waiter)
                self.settle()

    # What to do now

    def settle(self) -> None:
        """Look at everything and do what is due. Called whenever something has changed."""
        if self.closed:
            return
        now = self._clock()
        for held in tuple(self.held.values()):
            if held.is_over:
                self.begin_leaving(held, Reason.FAILED)
            elif held.retiring and held.is_idle:
                self.begin_leaving(held, Reason.UNLOADED)
        self._grant_waiters()
        self._expire(now)
        self._give_up(now)
        self._make_room(now)
        self._grant_waiters()
        self._set_timer(now)
        if self._quiet is not None and self._is_quiet():
            self._quiet.set_result(None)
            self._quiet = None

    def _grant_waiters(self) -> None:
        for waiter in sorted(self.waiters, key=lambda one: one.rank(self._settings.turn_s)):
            held = self.held.get(waiter.name)
            if held is not None and held.takes_requests and not waiter.granted.done():
                self.waiters.remove(waiter)
                waiter.granted.set_result(
                    self.grant(
                        held, waiter.user, sets_keep_alive=waiter.sets_keep_alive, keep_alive_s=waiter.keep_alive_s
                    )
                )

    def _expire(self, now: float) -> None:
        for held in tuple(self.held.values()):
            expires_at = held.expires_at(pinned=self.is_pinned(held))
            if expires_at is not None and expires_at <= now:
                self.begin_leaving(held, Reason.IDLE)

    def _give_up(self, now: float) -> None:
        for waiter in tuple(self.waiters):
            held = self.held.get(waiter.name)
            loads = held is not None and held.runner is None
            if waiter.deadline_at is not None and now >= waiter.deadline_at:
                self.refuse(waiter, refusals.deadline_passed(waiter.name))
            elif not loads and (now >= waiter.give_up_at or (held is None and self._is_hopeless(waiter))):
                self.refuse(waiter, self._why_no_room(waiter))

    def _is_hopeless(self, waiter: Waiter) -> bool:
        need_bytes, held, limits = waiter.need.room_bytes, self.held.values(), self._settings.limits
        if is_hopeless(need_bytes, held, limits, self.is_pinned):
            return True
        if any(one.runner is None for one in held):  # how much of the machine's memory its load has taken, nobody knows
            return False
        return is_hopeless(need_bytes, held, self._limits(), self.is_pinned)

    def _limits(self) -> Limits:
        """What all models together may take now: what the settings allow, as far as the machine has it."""
        limits = self._settings.limits
        return Limits(models=limits.models, room_bytes=min(limits.room_bytes, self._machine_bytes()))

    def _machine_bytes(self) -> int:
        """What the models here take, and what the machine has beside that. A load may still take all that it will."""
        there = sum(held.room_bytes for held in self.held.values() if held.runner is not None)
        return there + free_for_models(self._memory(), self._settings.pressure_min)

    def _why_no_room(self, waiter: Waiter) -> PaddockError:
        need_bytes, limits = waiter.need.room_bytes, self._settings.limits
        ahead = len(counts(self.waiters).keys() - {waiter.name})
        return why_no_room(
            waiter.name,
            need_bytes,
            self.held.values(),
            limits,
            self.is_pinned,
            machine_bytes=self._machine_bytes(),
        ) or refusals.waited_too_long(
            waiter.name, self._settings.wait_max_s, ahead=ahead, retry_after_s=self._turn_length_s()
        )

    def _make_room(self, now: float) -> None:
        settings = self._settings
        residents = [held.resident(pinned=self.is_pinned(held)) for held in self.held.values()]
        groups = wanted(
            (waiter for waiter in self.waiters if waiter.name not in self.held), now=now, turn_s=settings.turn_s
        )
        limits = self._limits() if groups else settings.limits
        plan = make_plan(residents, groups, limits, policy=settings.policy, now=now)
        for held in self.held.values():
            held.draining = held.name in plan.drain
        for name in plan.evict or choose_in_excess(residents, settings.limits, policy=settings.policy):
            self.begin_leaving(self.held[name], Reason.ROOM)
        taken_bytes = sum(one.room_bytes for one in residents)
        unclaimed = limits.room_bytes - taken_bytes - sum(group.room_bytes for group in groups)
        share = settings.budget_bytes // settings.max_models
        for name in plan.load:
            waiters = [waiter for waiter in self.waiters if waiter.name == name]
            most = max(waiters, key=lambda waiter: waiter.need.room_bytes)
            need_bytes = most.need.room_bytes
            # What nobody else wants, up to an equal share; a small model has no use for a large one.
            extra_bytes = max(0, min(share - need_bytes, need_bytes, unclaimed))
            unclaimed -= extra_bytes
            self._begin_load(most.record, most.need, need_bytes + extra_bytes, now)

    def _set_timer(self, now: float) -> None:
        """Ring when the next thing is due that nobody would tell of."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due: list[float] = []
        for held in self.held.values():
            expires_at = held.expires_at(pinned=self.is_pinned(held))
            due += [expires_at] if expires_at is not None else []
            due += [held.stays_until] if self.waiters and held.stays_until > now else []
        for waiter in self.waiters:
            due += [waiter.deadline_at] if waiter.deadline_at is not None else []
            due += [at for at in (waiter.arrived_at + self._settings.turn_s, waiter.give_up_at) if at > now]
        if due:
            wait_s = max(min(due) - now, _SOON_S)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self.settle)

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
        self.held[record.name] = held
        held.load = asyncio.create_task(self._load(held), name=f"load of {record.name}")
        held.load.add_done_callback(lambda load: self._load_ended(held, load))
        if self.watch is None:
            self.watch = asyncio.create_task(self._keep_watch(), name="watch of the pool")

    async def _load(self, held: Held) -> None:
        began = self._clock()
        try:
            runner = await self._mover.start(held, warm_up=self._settings.warm_up)
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
        if any(waiter.name == held.name for waiter in self.waiters):  # else nobody wants it: it may leave at once
            held.stays_until = now + min(held.load_seconds, self._settings.residency_s)
        self.counting.loaded(held.name, held.load_seconds, held.room_bytes)
        _log.info("pool.loaded name=%s bytes=%d seconds=%.3f", held.name, held.measured_bytes or 0, held.load_seconds)
        self.settle()
        await self._mover.tell_loaded(held, runner)

    def _load_ended(self, held: Held, load: asyncio.Task[None]) -> None:
        """Not in the task itself: one that is cancelled before its first step never runs."""
        if load.cancelled() and not held.gone.is_set() and held.runner is None:
            self._load_failed(held, refusals.unloaded_meanwhile(held.name))

    def _load_failed(self, held: Held, error: PaddockError) -> None:
        del self.held[held.name]
        held.leaving = True
        held.gone.set()
        self.counting.load_failed()
        _log.warning("pool.load_failed name=%s code=%s reason=%s", held.name, error.code, error.message)
        for waiter in tuple(self.waiters):
            if waiter.name == held.name:
                self.refuse(waiter, error)
        self.settle()

    def begin_leaving(self, held: Held, reason: Reason) -> None:
        held.leaving = True
        self.counting.left(held.name, reason)
        _log.info("pool.unloading name=%s reason=%s bytes=%d", held.name, reason.value, held.room_bytes)
        held.leave = asyncio.create_task(self._leave(held), name=f"unload of {held.name}")

    async def _leave(self, held: Held) -> None:
        try:
            await self._mover.stop(held)
        finally:
            del self.held[held.name]
            held.gone.set()
            self.settle()

    async def _keep_watch(self) -> None:
        """Look at the machine's memory, and for runners that ended for good, for as long as the pool lives."""
        while True:
            await asyncio.sleep(self._settings.pressure_check_s)
            residents = [held.resident(pinned=self.is_pinned(held)) for held in self.held.values()]
            short_bytes = short_of(self._memory(), self._settings.pressure_min)
            coming = sum(one.room_bytes for one in residents if self.held[one.name].leaving)
            for name in choose_under_pressure(residents, short_bytes - coming, policy=self._settings.policy):
                _log.warning("pool.pressure name=%s short_bytes=%d", name, short_bytes)
                self.begin_leaving(self.held[name], Reason.PRESSURE)
            self.settle()

    def is_pinned(self, held: Held) -> bool:
        return self.pins.of(held.record)

    def _turn_length_s(self) -> float:
        """About how long it takes until somebody else has a turn."""
        counters = self.counting.counters
        average_s = counters.load_seconds / counters.loads if counters.loads else 1.0
        return min(max(average_s, 1.0), 60.0)
