"""What the edge knows of a request, for the routes behind it: `asking_of(request).id`."""

import re
import secrets
from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import Scope

from paddock.audit.record import RequestRecord
from paddock.hub.addresses import is_loopback
from paddock.security.callers import ANYONE, Caller
from paddock.telemetry.metrics import RequestMeter

_KEY: Final = "paddock.asking"
_CLEAN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


@dataclass(slots=True, kw_only=True)
class Asking:
    """One request from the edge to its end."""

    id: str  # in every log line, in `x-paddock-request-id`, and what the runner is told
    meter: RequestMeter  # routes say here which model answers and how its tokens come
    record: RequestRecord  # for the audit: whoever has a part in the request writes it down here
    caller: Caller = ANYONE  # who asks, once the edge knows

    @property
    def user(self) -> str:
        """Whose prefixes and kept answers these are; empty where no key is wanted."""
        return self.caller.id


def asking_of(request: HTTPConnection) -> Asking:
    """What the edge wrote down about `request`."""
    return request.scope[_KEY]


def is_from_here(request: HTTPConnection) -> bool:
    """Whether the connection comes from this machine. Behind a proxy on this machine every one does."""
    return request.client is not None and is_loopback(request.client.host.partition("%")[0])


def write_down(scope: Scope, asking: Asking) -> None:
    """The edge calls this once a request."""
    scope[_KEY] = asking


def request_id(offered: str | None) -> str:
    """The id that a client brought, if it is short and clean, else a new one."""
    if offered is not None and _CLEAN.fullmatch(offered):
        return offered
    return f"req-{secrets.token_hex(12)}"
