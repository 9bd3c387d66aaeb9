"""Models on their way into memory and out of it: what is asked of the fleet, and who is told."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from paddock.errors import PaddockError
from paddock.fleet.fleet import Fleet, Runner, RunnerSpec, RunnerState
from paddock.library.records import ModelRecord
from paddock.pool.held import Held

_log: Final = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

Told = Callable[[ModelRecord, Runner], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """Starts runners and stops them."""

    fleet: Fleet
    spec: Callable[[ModelRecord], RunnerSpec]
    loaded: Told
    leaves: Told

    async def start(self, held: Held, *, warm_up: bool) -> Runner:
        """Within what was granted. Raises what loading raises; nothing is left behind then."""
        runner = await self.fleet.start(replace(self.spec(held.record), memory_bytes_max=held.runner_bytes_max))
        try:
            held.measured_bytes = runner.model.memory_bytes
            if warm_up:
                await _warm_up(held.name, runner)
        except BaseException:
            await runner.stop()
            raise
        return runner

    async def tell_loaded(self, held: Held, runner: Runner) -> None:
        try:
            await self.loaded(held.record, runner)
        except PaddockError as error:
            _log.warning("pool.load_not_kept name=%s reason=%s", held.name, error.message)

    async def stop(self, held: Held) -> None:
        """Returns when its memory is back."""
        assert held.runner is not None, "what loads is cancelled, not stopped"
        try:
            if held.was_used and held.runner.state is RunnerState.READY:
                await self.leaves(held.record, held.runner)
        except PaddockError as error:
            _log.warning("pool.leaving_not_told name=%s reason=%s", held.name, error.message)
        finally:
            await held.runner.stop()


async def _warm_up(name: str, runner: Runner) -> None:
    try:
        await runner.warm(prefill_tokens=warm_up_tokens(runner))
    except PaddockError as error:  # it is loaded all the same
        _log.warning("pool.warm_up_failed name=%s reason=%s", name, error.message)


def warm_up_tokens(runner: Runner) -> int:
    """A warm-up's prompt, of at most half the context."""
    return min(128, max(1, runner.model.context_window // 2))
