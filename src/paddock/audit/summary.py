"""`Summaries`: what many rows come to, over time and by who answered or asked. Added up by the database, in few passes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Integer, case, cast, extract, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from paddock.audit.filters import FAILED, AuditFilter, conditions
from paddock.db.engine import Database
from paddock.db.tables import AuditRowRow

By = Literal["model", "provider", "caller", "route"]
POINTS_MAX: Final = 60
GROUPS_MAX: Final = 6  # so many colours can be told apart; everybody else is one group
NAMES_MAX: Final = 500
_HOUR_S: Final = 3600
_DAY_S: Final = 86400
_STEPS_S: Final = (60, 300, 900, _HOUR_S, 3 * _HOUR_S, 6 * _HOUR_S, _DAY_S, 7 * _DAY_S, 30 * _DAY_S, 365 * _DAY_S)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTotals:
    """What some rows come to."""

    requests: int
    failed: int
    prompt_tokens: int
    cached_tokens: int  # of the prompts', found in a cache
    completion_tokens: int
    cost_nanos: int  # billionths of the price table's currency
    priced: int  # requests of which a price is known
    first_token_us: int  # of all together, and
    first_tokens: int  # of how many: the mean is one by the other
    duration_us: int  # of all together


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPoint:
    """One group in one step of time. Steps in which nothing happened have none."""

    at: datetime  # when the step begins
    name: str | None  # of the group; None is all the others
    totals: AuditTotals


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditGroup:
    """One group over the whole time."""

    name: str | None
    totals: AuditTotals


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSummary:
    """Rows added up, the busiest groups first."""

    since: datetime
    until: datetime
    step_s: int
    totals: AuditTotals
    first_token_median_us: int | None  # half of the first tokens came sooner
    first_token_slow_us: int | None  # one in twenty took longer
    groups: tuple[AuditGroup, ...]
    points: tuple[AuditPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditNames:
    """What rows can be filtered by, as far as there are rows."""

    callers: tuple[str, ...]
    models: tuple[str, ...]
    providers: tuple[str, ...]
    routes: tuple[str, ...]
    statuses: tuple[int, ...]


class Summaries:
    """Of the rows of all servers that share the database."""

    def __init__(self, *, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def of(self, wanted: AuditFilter, *, by: By = "model") -> AuditSummary:
        """What the rows that fit come to; without a time, all that there are."""
        name = getattr(AuditRowRow, by)
        async with self._database.session() as session:
            since = wanted.since or await session.scalar(select(func.min(AuditRowRow.at))) or self._now()
            until = max(wanted.until or self._now(), since)
            step_s = step_for((until - since).total_seconds())
            where = conditions(replace(wanted, since=since))
            busiest = select(name).where(*where).group_by(name).order_by(func.count().desc(), name).limit(GROUPS_MAX)
            names = list(await session.scalars(busiest))
            group = case((name.in_(names), name), else_=None).label("name")
            seconds = extract("epoch", AuditRowRow.at)
            begins = cast(seconds - seconds % step_s, Integer).label("begins")
            rows = (await session.execute(select(begins, group, *_SUMS).where(*where).group_by("begins", group))).all()
            points = [(row.begins, row.name, _totals(row)) for row in rows]
            median, slow = await _first_tokens(session, where, sum(totals.first_tokens for _, _, totals in points))
        groups = [AuditGroup(name=one, totals=_sum(points, one)) for one in names]
        if any(one is None for _, one, _ in points):
            groups.append(AuditGroup(name=None, totals=_sum(points, None)))
        return AuditSummary(
            since=since,
            until=until,
            step_s=step_s,
            totals=_added([totals for _, _, totals in points]),
            first_token_median_us=median,
            first_token_slow_us=slow,
            groups=tuple(groups),
            points=tuple(
                AuditPoint(at=_EPOCH + timedelta(seconds=begins), name=one, totals=totals)
                for begins, one, totals in sorted(points, key=lambda point: (point[0], point[1] or ""))
            ),
        )

    async def names(self, wanted: AuditFilter) -> AuditNames:
        """What there is to choose from among the rows that fit, in the order of their names."""
        where = conditions(wanted)
        found: dict[str, list[Any]] = {}
        async with self._database.session() as session:
            for column in (
                AuditRowRow.caller,
                AuditRowRow.model,
                AuditRowRow.provider,
                AuditRowRow.route,
                AuditRowRow.rule,
                AuditRowRow.status,
            ):
                query = select(column).where(*where).distinct().order_by(column).limit(NAMES_MAX)
                found[column.key] = [name for name in await session.scalars(query) if name != ""]
        return AuditNames(
            callers=tuple(found["caller"]),
            models=tuple(found["model"]),
            providers=tuple(found["provider"]),
            routes=tuple(sorted({*found["route"], *found["rule"]})),
            statuses=tuple(found["status"]),
        )


def step_for(seconds: float) -> int:
    """The smallest step that cuts so many seconds into few enough."""
    return next((step for step in _STEPS_S if seconds / step <= POINTS_MAX), _STEPS_S[-1])


def _sum_of(column: Any) -> ColumnElement[int]:
    return func.coalesce(func.sum(column), 0)


_SUMS: Final = (
    func.count().label("requests"),
    _sum_of(case((FAILED, 1), else_=0)).label("failed"),
    _sum_of(AuditRowRow.prompt_tokens).label("prompt_tokens"),
    _sum_of(AuditRowRow.cached_tokens).label("cached_tokens"),
    _sum_of(AuditRowRow.completion_tokens).label("completion_tokens"),
    _sum_of(AuditRowRow.cost_nanos).label("cost_nanos"),
    func.count(AuditRowRow.cost_nanos).label("priced"),
    _sum_of(AuditRowRow.first_token_us).label("first_token_us"),
    func.count(AuditRowRow.first_token_us).label("first_tokens"),
    _sum_of(AuditRowRow.duration_us).label("duration_us"),
)
_NAMES: Final = tuple(field.name for field in fields(AuditTotals))
NOTHING: Final = AuditTotals(**dict.fromkeys(_NAMES, 0))


def _totals(row: Any) -> AuditTotals:
    return AuditTotals(**{name: int(getattr(row, name)) for name in _NAMES})


def _added(parts: Sequence[AuditTotals]) -> AuditTotals:
    return AuditTotals(**{name: sum(getattr(part, name) for part in parts) for name in _NAMES})


def _sum(points: Sequence[tuple[int, str | None, AuditTotals]], name: str | None) -> AuditTotals:
    return _added([totals for _, one, totals in points if one == name])


async def _first_tokens(
    session: AsyncSession, where: Sequence[ColumnElement[bool]], count: int
) -> tuple[int | None, int | None]:
    """How long the first token took: in the middle, and at the slow end."""
    if not count:
        return None, None
    ordered = select(AuditRowRow.first_token_us).where(*where, AuditRowRow.first_token_us.is_not(None))
    ordered = ordered.order_by(AuditRowRow.first_token_us).limit(1)
    both = select(
        *(ordered.offset(literal(place)).scalar_subquery() for place in (count // 2, min(count * 19 // 20, count - 1)))
    )
    found: tuple[int | None, ...] = tuple((await session.execute(both)).one())
    return found[0], found[1]
