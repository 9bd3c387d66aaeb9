"""`Replayer`: reads the rows of a period and asks for each name where it would lead, once."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from paddock.audit.ledger import AuditFilter, Ledger
from paddock.audit.prices import Prices
from paddock.audit.record import AuditRow
from paddock.config.schema import Config
from paddock.config.schema import Routing as RoutingSection
from paddock.errors import UsageError
from paddock.gateway.candidates import CAPABILITIES, Models
from paddock.gateway.directory import Directory
from paddock.gateway.replay import (
    NEEDS,
    Answerer,
    Fate,
    Outcome,
    Replay,
    ReplayCost,
    ReplayedRequest,
    ReplayGroup,
    asks_model,
    needs_possible,
    outcome_of,
    seat_before,
)
from paddock.gateway.routing import Route, Traits
from paddock.gateway.rules import RuleSet

ROWS_MAX: Final = 200_000
LISTED_MAX: Final = 1000
_PERIOD: Final = timedelta(days=1)
_GROUPS_MAX: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be tried: None is as it is now."""

    rules: RuleSet | None = None
    routing: RoutingSection | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Which rows. Without `since` it is a day before `until`, without `until` up to now."""

    since: datetime | None = None
    until: datetime | None = None
    listed: int = 50  # so many requests are named one by one


class Replayer:
    """Holds what was asked against other rules. Nobody is asked, nothing is written."""

    def __init__(
        self,
        *,
        directory: Directory,
        ledger: Ledger,
        config: Callable[[], Config],
        prices: Callable[[], Prices],
        now: Callable[[], datetime],
    ) -> None:
        self._directory = directory
        self._ledger = ledger
        self._config = config
        self._prices = prices
        self._now = now

    async def replay(self, draft: Draft, period: Period) -> Replay:
        """Raises UsageError for a draft that says nothing, and a period that is none."""
        if draft.rules is None and draft.routing is None:
            raise UsageError("There is nothing to try.", hint="Give other rules, or other profiles.", param="rules")
        until = period.until or self._now()
        since = period.since or until - _PERIOD
        if since >= until:
            raise UsageError("The period ends before it begins.", hint="Give an earlier `since`.", param="since")
        wanted = AuditFilter(since=since, until=period.until)
        count = await self._ledger.count(wanted)
        tally = _Tally(self._prices(), period.listed)
        there = _Ways(self._directory, draft, self._config(), await self._directory.models())
        here = _Ways(self._directory, Draft(), self._config(), await self._directory.models())
        async for rows in self._ledger.pages(wanted, skip=max(0, count - ROWS_MAX)):
            for row in rows:
                if not asks_model(row):
                    tally.skipped += 1
                    continue
                outcome = await there.outcome(row)
                as_now = outcome.fate is not Fate.SAME and await here.outcome(row) == outcome
                tally.add(row, outcome, also_now=as_now)
        return tally.replay(since, until, is_whole=count <= ROWS_MAX)


class _Ways:
    """Where names lead under one draft, each looked up once."""

    def __init__(self, directory: Directory, draft: Draft, config: Config, models: Models) -> None:
        self._directory = directory
        self._rules = draft.rules
        self._config = config if draft.routing is None else _with_routing(config, draft.routing)
        self._models = models
        self._routes: dict[str, Mapping[tuple[str, ...], Route]] = {}

    async def outcome(self, row: AuditRow) -> Outcome:
        name = row.asked_model
        routes = self._routes.get(name)
        if routes is None:
            routes = {needs: await self._route(name, needs) for needs in NEEDS}
            self._routes[name] = routes
        return outcome_of(row, {needs: routes[needs] for needs in needs_possible(row, self._can)})

    async def _route(self, name: str, needs: tuple[str, ...]) -> Route:
        traits = Traits(model=name, needs=needs)
        return await self._directory.route(traits, rules=self._rules, config=self._config)

    def _can(self, seat: Answerer) -> tuple[str, ...] | None:
        known = self._models.at(seat.provider, seat.model)
        return None if known is None else tuple(each for each in CAPABILITIES if known.can(each))


class _Tally:
    """What was found so far."""

    def __init__(self, prices: Prices, listed: int) -> None:
        self.skipped = 0
        self._prices = prices
        self._counts = dict.fromkeys(Fate, 0)
        self._groups: dict[tuple[str, Answerer | None, Outcome, bool], int] = {}
        self._listed: deque[ReplayedRequest] = deque(maxlen=listed)
        self._priced, self._unpriced = 0, 0
        self._before_nanos, self._after_nanos = 0, 0

    def add(self, row: AuditRow, outcome: Outcome, *, also_now: bool) -> None:
        self._counts[outcome.fate] += 1
        if outcome.fate is Fate.SAME:
            return
        before = seat_before(row)
        key = (row.asked_model, before, outcome, also_now)
        if key in self._groups or len(self._groups) < _GROUPS_MAX:
            self._groups[key] = self._groups.get(key, 0) + 1
        after_nanos = self._cost(row, outcome)
        if outcome.fate is Fate.MOVED and before is not None:
            if after_nanos is None or row.cost_nanos is None:
                self._unpriced += 1
            else:
                self._priced += 1
                self._before_nanos += row.cost_nanos
                self._after_nanos += after_nanos
        self._listed.append(
            ReplayedRequest(
                seq=row.seq,
                at=row.at,
                request_id=row.request_id,
                asked_model=row.asked_model,
                before=before,
                outcome=outcome,
                cost_before_nanos=row.cost_nanos,
                cost_after_nanos=after_nanos,
            )
        )

    def replay(self, since: datetime, until: datetime, *, is_whole: bool) -> Replay:
        groups = [
            ReplayGroup(asked_model=asked, before=before, outcome=outcome, count=count, also_now=also_now)
            for (asked, before, outcome, also_now), count in self._groups.items()
        ]
        groups.sort(key=lambda each: -each.count)
        counts = self._counts
        return Replay(
            since=since,
            until=until,
            requests=sum(counts.values()),
            same=counts[Fate.SAME],
            moved=counts[Fate.MOVED],
            nobody=counts[Fate.NOBODY],
            undecided=counts[Fate.UNDECIDED],
            skipped=self.skipped,
            is_whole=is_whole,
            cost=ReplayCost(
                requests=self._priced,
                unknown=self._unpriced,
                before_nanos=self._before_nanos,
                after_nanos=self._after_nanos,
            ),
            groups=tuple(groups),
            listed=tuple(reversed(self._listed)),
        )

    def _cost(self, row: AuditRow, outcome: Outcome) -> int | None:
        if outcome.after is None:
            return None
        return self._prices.cost_nanos(
            outcome.after.model,
            prompt=row.prompt_tokens,
            cached=row.cached_tokens,
            completion=row.completion_tokens,
        )


def _with_routing(config: Config, routing: RoutingSection) -> Config:
    changed: dict[str, Any] = {"model": config.model.model_copy(update={"routing": routing})}
    return config.model_copy(update=changed)
