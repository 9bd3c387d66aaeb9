"""A fleet on this machine: every runner is a child process."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from paddock.airgap.enclosing import runner_variables
from paddock.errors import RunnerCrashed
from paddock.fleet.environment import runner_environment
from paddock.fleet.fleet import RunnerSpec
from paddock.fleet.subprocess_runner import SubprocessRunner
from paddock.fleet.timing import FleetTiming

RUNNER_COMMAND: Final = (sys.executable, "-P", "-m", "paddock.runner.main")


class SubprocessFleet:
    """Implements Fleet. Belongs to one event loop.

    Runners end with their fleet. Should this process be killed, they see the end of their connection and exit by themselves.
    """

    def __init__(
        self,
        *,
        command: Sequence[str] = RUNNER_COMMAND,
        environment: Mapping[str, str] | None = None,
        timing: FleetTiming | None = None,
        airgap_ledger: Path | None = None,
    ) -> None:
        """`command` starts a runner once `--name NAME --fd N` is added; `environment` is filtered before it sees it.

        With `airgap_ledger` runners are held to this machine, and write there what they were refused.
        """
        self._command = tuple(command)
        self._environment = {
            **runner_environment(os.environ if environment is None else environment),
            **runner_variables(airgap_ledger),
        }
        self._timing = timing or FleetTiming()
        self._runners: set[SubprocessRunner] = set()
        self._closed = False

    async def start(self, spec: RunnerSpec) -> SubprocessRunner:
        """See Fleet."""
        if self._closed:
            raise RunnerCrashed(f"`{spec.name}` cannot be loaded: Paddock is ending.", hint="Start Paddock again.")
        runner = SubprocessRunner(spec, command=self._command, environment=self._environment, timing=self._timing)
        self._forget_the_stopped()
        self._runners.add(runner)
        try:
            await runner.start()
        except BaseException:
            self._runners.discard(runner)
            raise
        return runner

    async def close(self) -> None:
        """See Fleet."""
        self._closed = True
        await asyncio.gather(*(runner.stop() for runner in self._runners))
        self._runners.clear()

    def _forget_the_stopped(self) -> None:
        self._runners = {runner for runner in self._runners if not runner.is_gone}
