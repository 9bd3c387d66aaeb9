"""What the server is made of. `app.open_server` builds it; every router is handed it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from paddock.audit.journal import Recorder
from paddock.audit.ledger import Ledger
from paddock.audit.summary import Summaries
from paddock.chats.book import ChatBook
from paddock.config.schema import Config
from paddock.gateway.rooms import GatewayRooms
from paddock.library.checkup import Finding
from paddock.library.library import Library
from paddock.library.machine import Machine
from paddock.providers.provider import Provider
from paddock.security.api_keys import ApiKeys
from paddock.security.gate import Gate
from paddock.security.users import Users
from paddock.security.vault import Vault
from paddock.server.in_force import InForce
from paddock.server.life import Life
from paddock.server.pages import Pages
from paddock.server.running import Running
from paddock.telemetry.logs import LogTail
from paddock.telemetry.metrics import Metrics
from paddock.telemetry.timeline import Timelines

if TYPE_CHECKING:
    from paddock.pool.pool import Pool
    from paddock.pool.settings import PoolSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRooms:
    """Everything that a route may want."""

    config: Config  # as it was at the start
    in_force: InForce  # as it is now
    library: Library
    chats: ChatBook
    vault: Vault
    pool: "Pool"
    limits_of: "Callable[[Config], PoolSettings]"  # what settings would mean to the pool on this machine
    provider: Provider
    routing: GatewayRooms
    metrics: Metrics
    log_tail: LogTail  # the latest log lines, for `/admin/logs`
    pages: Pages  # the dashboard's
    gate: Gate
    recorder: Recorder  # of a row a request
    ledger: Ledger
    summaries: Summaries
    timelines: Timelines  # of the latest requests
    running: Running
    users: Users
    keys: ApiKeys
    machine: Callable[[], Machine]
    examine: Callable[[], Awaitable[Sequence[Finding]]]  # as `paddock doctor` does
    life: Life
    clock: Callable[[], float]
    now: Callable[[], datetime]
    version: str
    stop: Callable[[], None]  # ends the server as SIGTERM does
