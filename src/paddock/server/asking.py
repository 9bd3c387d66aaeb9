"""What the edge knows of a request, for the routes behind it: `asking_of(request).id`."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import Scope

from paddock.telemetry.metrics import RequestMeter

_KEY: Final = "paddock.asking"


@dataclass(slots=True, kw_only=True)
class Asking:
    """One request from the edge to its end."""

    id: str  # in every log line, in `x-paddock-request-id`, and what the runner is told
    meter: RequestMeter  # routes say here which model answers and how its tokens come
    user: str = ""  # `admin`, `local`, or empty where no key is wanted


def asking_of(request: HTTPConnection) -> Asking:
    """What the edge wrote down about `request`."""
    return request.scope[_KEY]


def write_down(scope: Scope, asking: Asking) -> None:
    """The edge calls this once a request."""
    scope[_KEY] = asking


def read_back(scope: Scope) -> Asking | None:
    """None when the edge never saw the request: an app that is driven without it."""
    return scope.get(_KEY)
