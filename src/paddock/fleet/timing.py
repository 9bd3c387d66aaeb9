"""How long the fleet waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetTiming:
    """The defaults suit people's machines, which are slow at times. Tests choose shorter ones."""

    load_timeout_s: float = 600.0
    heartbeat_s: float = 1.0
    silence_max_s: float = 15.0  # without a sign of life: stopped, or starved beyond use
    step_max_s: float = 180.0  # one piece of work on the device; longer is hung
    stop_timeout_s: float = 5.0  # for each of: asked, SIGTERM, SIGKILL
    stats_timeout_s: float = 2.0
    restart_pause_s: float = 0.5  # before the first restart; doubles with each
    restart_pause_max_s: float = 30.0
    restarts_max: int = 5  # in a row, without `steady_s` between them
    steady_s: float = 60.0  # a runner that lived so long starts afresh
    restart_wait_max_s: float = 60.0  # for requests that come while it restarts
