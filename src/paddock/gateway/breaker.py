"""Circuit breakers: who failed several times in a row rests for a while, then one request tries whether it is back."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

Seat = tuple[str, str]  # provider and model
_REST_FACTOR: Final = 2.0  # each rest after a failed trial is so many times longer
_REST_MAX: Final = 16.0  # times the first
_SEATS_MAX: Final = 10_000


class State(StrEnum):
    CLOSED = "closed"  # as it should be
    OPEN = "open"  # left alone
    HALF_OPEN = "half_open"  # its rest is over: one request may try


@dataclass(slots=True)
class _Record:
    failures: int = 0  # in a row
    rests: int = 0  # since it last answered
    rest_until: float = 0.0
    trying: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStatus:
    """One provider's model that has failed of late."""

    provider: str
    model: str
    state: State
    failures: int
    rest_s: float  # what is left of it


class BreakerSettings(Protocol):
    """When a breaker opens, and for how long. The section `failover` of the settings is one."""

    @property
    def breaker_failures(self) -> int: ...

    @property
    def breaker_rest_s(self) -> float: ...


class Breakers:
    """One for each model of each provider. Belongs to one event loop."""

    def __init__(self, *, settings: Callable[[], BreakerSettings], clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._records: dict[Seat, _Record] = {}

    def state(self, seat: Seat) -> State:
        record = self._records.get(seat)
        if record is None or (record.rest_until == 0.0 and not record.trying):
            return State.CLOSED
        if record.trying or record.rest_until <= self._clock():
            return State.HALF_OPEN
        return State.OPEN

    def enter(self, seat: Seat) -> bool:
        """Whether a request may go there now. After a rest only one may, until it has ended with one of the three below."""
        match self.state(seat):
            case State.CLOSED:
                return True
            case State.OPEN:
                return False
            case State.HALF_OPEN:
                record = self._records[seat]
                if record.trying:
                    return False
                record.trying = True
                return True

    def rests_for(self, seat: Seat) -> float:
        """Seconds until it is worth asking again."""
        record = self._records.get(seat)
        return 0.0 if record is None else max(0.0, record.rest_until - self._clock())

    def succeeded(self, seat: Seat) -> None:
        """It answered: all is forgotten."""
        self._records.pop(seat, None)

    def failed(self, seat: Seat, *, retry_after_s: float | None = None) -> None:
        """It did not. `retry_after_s`: it asked to be left alone for so long, and is."""
        if len(self._records) >= _SEATS_MAX and seat not in self._records:
            self._records.pop(next(iter(self._records)))
        record = self._records.setdefault(seat, _Record())
        record.failures += 1
        rest = 0.0
        settings = self._settings()
        if record.trying or record.failures >= settings.breaker_failures:
            rest = settings.breaker_rest_s * min(_REST_FACTOR**record.rests, _REST_MAX)
            record.rests += 1
            record.failures = 0
        record.trying = False
        rest = max(rest, retry_after_s or 0.0)
        if rest:
            record.rest_until = max(record.rest_until, self._clock() + rest)

    def released(self, seat: Seat) -> None:
        """The request ended without saying anything about the provider: its client left, or was wrong."""
        record = self._records.get(seat)
        if record is not None:
            record.trying = False

    def status(self) -> list[BreakerStatus]:
        """Those that have failed since they last answered."""
        return [
            BreakerStatus(
                provider=seat[0],
                model=seat[1],
                state=self.state(seat),
                failures=record.failures,
                rest_s=round(self.rests_for(seat), 1),
            )
            for seat, record in self._records.items()
        ]
