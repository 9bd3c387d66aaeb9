"""Requests that are being answered now, for who wants to watch: `GET /admin/audit/live`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from starlette.types import Scope

from paddock.audit.record import TEXT_CHARACTERS_MAX
from paddock.server.asking import Asking
from paddock.server.recording import dialect_of, is_kept


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRequest:
    """One request on its way, as far as it has come."""

    request_id: str
    at: datetime  # when it arrived
    caller: str
    dialect: str
    asked_model: str
    model: str  # that answers; empty until somebody does
    provider: str
    route: str
    seconds: float
    first_token_seconds: float | None
    completion_tokens: int  # so far


class Running:
    """Of one server. Costs a request next to nothing: what is told is put together when somebody asks."""

    def __init__(self) -> None:
        self._requests: dict[int, tuple[Scope, Asking]] = {}

    def enter(self, scope: Scope, asking: Asking) -> None:
        """One more; `leave` must follow."""
        self._requests[id(asking)] = (scope, asking)

    def leave(self, asking: Asking) -> None:
        self._requests.pop(id(asking), None)

    def list(self) -> Sequence[RunningRequest]:
        """Those that will get a row, the oldest first."""
        return [
            _told(scope["path"], asking)
            for scope, asking in self._requests.values()
            if is_kept(asking.record.method, scope["path"], HTTPStatus.OK)
        ]


def _told(path: str, asking: Asking) -> RunningRequest:
    record, meter = asking.record, asking.meter
    return RunningRequest(
        request_id=asking.id,
        at=record.at,
        caller=asking.caller.id,
        dialect=dialect_of(path),
        asked_model=record.asked_model[:TEXT_CHARACTERS_MAX],
        model=record.model or meter.model,
        provider=record.provider,
        route=record.route,
        seconds=meter.seconds,
        first_token_seconds=meter.first_token_s,
        completion_tokens=meter.completion_tokens,
    )
