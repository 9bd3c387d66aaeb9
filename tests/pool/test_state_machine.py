"""Load, unload, evict, pin and chat at random, with real processes.

Short in continuous integration; PADDOCK_SOAK=1 goes on for five minutes. No stream is ever cut by an eviction, limits hold,
and everybody who waits ends.
"""

import asyncio
import os
import time
from contextlib import AsyncExitStack

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from paddock.errors import DeadlinePassed, InUse, RunnerCrashed
from paddock.pool.planning import Policy
from paddock.pool.settings import PoolSettings
from tests.pool.real import Real, alphabet, real
from tests.pool.simulated import MB

SOAK_S = 300.0 if os.environ.get("PADDOCK_SOAK") else 0.0
NAMES = "abcd"
names = st.sampled_from(NAMES)


class PoolMachine(RuleBasedStateMachine):
    """Every rule is one step of a real event loop's life; chats go on between them."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.chats: list[tuple[asyncio.Task[str], int]] = []
        self.forced = False  # since then an answer may end with a reason
        self.pinned: set[str] = set()
        self.budget_bytes = 0
        self.the: Real | None = None

    @initialize(
        places=st.integers(1, 3), policy=st.sampled_from(Policy), keep_alive_s=st.sampled_from([0.0, 0.2, None])
    )
    def open(self, places: int, policy: Policy, keep_alive_s: float | None) -> None:
        self.budget_bytes = places * MB
        chosen = PoolSettings(
            max_models=places,
            budget_bytes=self.budget_bytes,
            policy=policy,
            keep_alive_s=keep_alive_s,
            turn_s=0.5,
            residency_s=0.1,
            wait_max_s=60.0,
        )
        self.the = self.runner.run(self.stack.enter_async_context(real(*NAMES, settings=chosen)))

    @property
    def real(self) -> Real:
        assert self.the is not None, "it was opened first"
        return self.the

    @rule(name=names, tokens=st.sampled_from([1, 30, 600]))
    def chat(self, name: str, tokens: int) -> None:
        async def begin() -> None:
            self.chats.append((asyncio.create_task(self.real.chat(name, tokens)), tokens))
            await asyncio.sleep(0)

        self.runner.run(begin())

    @rule(pause_s=st.sampled_from([0.0, 0.05, 0.3]))
    def let_time_pass(self, pause_s: float) -> None:
        self.runner.run(asyncio.sleep(pause_s))

    @precondition(lambda self: bool(self.chats))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        task, _ = self.chats.pop(data.draw(st.integers(0, len(self.chats) - 1)))

        async def gone() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.runner.run(gone())

    @rule(name=names)
    def load(self, name: str) -> None:
        if len(self.pinned - {name}) < self.real.pool.status().max_models:
            self.runner.run(self.real.pool.load(name))

    @rule(name=names, force=st.booleans())
    def unload(self, name: str, force: bool) -> None:
        self.forced |= force

        async def unload() -> None:
            try:
                await self.real.pool.unload(name, force=force)
            except InUse:
                assert not force

        self.runner.run(unload())

    @rule()
    def clear(self) -> None:
        self.runner.run(self.real.pool.clear())

    @rule(name=names)
    def pin_the_only_one(self, name: str) -> None:
        for other in self.pinned - {name}:
            self.runner.run(self.real.pool.pin(other, pinned=False))
        self.pinned = {name} if self.real.pool.status().max_models > 1 else set()
        self.runner.run(self.real.pool.pin(name, pinned=bool(self.pinned)))

    @invariant()
    def limits_hold(self) -> None:
        if self.the is not None:
            status = self.real.pool.status()
            assert status.used_bytes <= self.budget_bytes
            assert len(status.models) <= status.max_models

    def teardown(self) -> None:
        try:
            if self.the is not None:
                self.runner.run(self._everybody_ends())
        finally:
            self.runner.close()

    async def _everybody_ends(self) -> None:
        try:
            async with asyncio.timeout(120):  # bounded, however busy this machine is
                for task, tokens in self.chats:
                    try:
                        assert await task == alphabet(tokens)
                    except (RunnerCrashed, InUse, DeadlinePassed):
                        assert self.forced, "nobody forced anything, and an answer was cut"
            status = self.real.pool.status()
            assert not status.waiting
            assert sum(model.leases for model in status.models.values()) == 0
        finally:
            await self.stack.aclose()


def test_at_random_no_stream_is_cut_and_limits_hold() -> None:
    """The promise of the whole room, kept by real processes."""
    ends_at = time.monotonic() + SOAK_S
    while True:
        run_state_machine_as_test(  # pyright: ignore[reportUnknownMemberType] (untyped in Hypothesis)
            PoolMachine,
            settings=settings(
                max_examples=5 if SOAK_S else 4,
                stateful_step_count=30 if SOAK_S else 12,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
        if time.monotonic() >= ends_at:
            return
