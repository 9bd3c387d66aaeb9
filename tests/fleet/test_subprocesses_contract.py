"""The fleet of child processes keeps the contract of all fleets."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from paddock.fleet.fleet import Fleet
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.fleet.timing import FleetTiming
from tests.fleet.contract import FleetContract

TOY_RUNNER = (sys.executable, "-P", str(Path(__file__).parent.parent / "fakes" / "toy_runner.py"))
QUICK = FleetTiming(
    load_timeout_s=10.0,
    heartbeat_s=0.1,
    silence_max_s=4.0,
    step_max_s=4.0,
    stop_timeout_s=0.4,
    stats_timeout_s=0.3,
    restart_pause_s=0.05,
    restarts_max=3,
    restart_wait_max_s=30.0,
)


class TestSubprocessFleet(FleetContract):
    @pytest.fixture
    async def fleet(self) -> AsyncIterator[Fleet]:
        fleet = SubprocessFleet(command=TOY_RUNNER, timing=QUICK)
        yield fleet
        await fleet.close()
