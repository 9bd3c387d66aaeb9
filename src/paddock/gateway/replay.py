"""What other rules and profiles would have done to requests that were answered before. Pure.

A row of the audit holds the name that was asked, who answered, and how many tokens it took; not what was asked. So some
things cannot be known afterwards: whether there were pictures or tools, what a router would have read, how long a prompt is
that was never counted. Where such a thing decides, the request is undecided, with the reason; nothing is guessed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from paddock.audit.record import AuditRow
from paddock.gateway.routing import Route, Target, is_virtual

MODEL_PATHS: Final = ("/v1/", "/api/")
NEEDS: Final[tuple[tuple[str, ...], ...]] = (
    (),
    ("vision",),
    ("tools",),
    ("vision", "tools"),
)  # what a request may not have been able to do without
_SPREAD: Final = 2.0  # two models count one text differently, by this much at most


class Fate(StrEnum):
    """What would become of one request."""

    SAME = "same"  # whoever answered does; whom nobody answered nobody does
    MOVED = "moved"  # somebody else answers
    NOBODY = "nobody"  # the name leads nowhere
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """Who answers."""

    provider: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Where one request would go."""

    fate: Fate
    after: Answerer | None = None  # with SAME and MOVED
    route: str = ""  # what would lead there
    reason: str = ""  # with NOBODY and UNDECIDED


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedRequest:
    """One request that would not go where it went, or of which that cannot be said."""

    seq: int
    at: datetime
    request_id: str
    asked_model: str
    before: Answerer | None
    outcome: Outcome
    cost_before_nanos: int | None
    cost_after_nanos: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayGroup:
    """Requests that would fare alike."""

    asked_model: str
    before: Answerer | None  # None where nobody answered
    outcome: Outcome
    count: int
    also_now: bool  # it would go there without the other rules, too: models or rules have changed since


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayCost:
    """By the price table, with the tokens that were counted then. Another model counts a text a little differently."""

    requests: int  # those of which both prices are known
    unknown: int  # moved requests of which one is not
    before_nanos: int
    after_nanos: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Requests of a period under other rules: `route replay`, `/admin/route/replay`."""

    since: datetime
    until: datetime
    requests: int  # that named a model
    same: int
    moved: int
    nobody: int
    undecided: int
    skipped: int  # rows of requests that asked no model
    is_whole: bool  # else there were more rows than are read at once, and the latest were
    cost: ReplayCost
    groups: tuple[ReplayGroup, ...]  # all but the same, the largest first
    listed: tuple[ReplayedRequest, ...]  # of these requests the latest, as many as were wanted


def asks_model(row: AuditRow) -> bool:
    """Whether a row is of a request that somebody was to answer."""
    return bool(row.asked_model) and row.endpoint.startswith(MODEL_PATHS)


def seat_before(row: AuditRow) -> Answerer | None:
    """Who answered it."""
    return Answerer(provider=row.provider, model=row.model) if row.model else None


def outcome_of(row: AuditRow, routes: Mapping[tuple[str, ...], Route]) -> Outcome:
    """Where `row` would go. `routes` are those of its name for each of `NEEDS` that it may have had."""
    plain = routes[()]
    if any(route.asks is not None for route in routes.values()):
        return _undecided("a router would read the text, which is not kept")
    heads = {_head(route) for route in routes.values()}
    if len(heads) > 1:
        return _undecided("it depends on whether there were pictures or tools, which is not kept")
    if not plain.targets:
        if seat_before(row) is None:
            return Outcome(fate=Fate.SAME)
        failure = plain.failure
        return Outcome(fate=Fate.NOBODY, reason=failure.message if failure is not None else "It leads nowhere.")
    before = seat_before(row)
    if row.attempts > 1 and before is not None and before in [_seat(each) for each in plain.targets[1:]]:
        return _undecided("others had failed before the one that answered; whether the first would now is not known")
    target = _first_that_fits(row, plain.targets, before)
    if isinstance(target, str):
        return _undecided(target)
    seat = _seat(target)
    return Outcome(
        fate=Fate.SAME if seat == before else Fate.MOVED,
        after=seat,
        route=target.route,
    )


def needs_possible(row: AuditRow, can: Callable[[Answerer], Sequence[str] | None]) -> tuple[tuple[str, ...], ...]:
    """Those of `NEEDS` that the request may have had: whoever answered can do what it needed. `can` is None of strangers."""
    before = seat_before(row)
    able = can(before) if before is not None and row.status < 400 and is_virtual(row.asked_model) else None
    if able is None:
        return NEEDS
    return tuple(needs for needs in NEEDS if set(needs) <= set(able))


def _first_that_fits(row: AuditRow, targets: Sequence[Target], before: Answerer | None) -> Target | str:
    """The first target whose context takes the prompt, or in words why that cannot be said."""
    for target in targets[:-1]:
        window = target.context_window
        if _seat(target) == before or window is None:
            return target  # it took it before, or nobody knows what it takes: it is asked in any case
        if row.prompt_tokens == 0:
            return "the length of its prompt is not known, and another one answers what is too long for the first"
        if row.prompt_tokens * _SPREAD <= window:
            return target
        if row.prompt_tokens <= window * _SPREAD:
            return (
                f"its prompt of {row.prompt_tokens:,} tokens, as they were counted then, may or may not fit the "
                f"{window:,} of `{target.model}`"
            )
    return targets[-1]  # there is nobody else


def _head(route: Route) -> Answerer | None:
    return _seat(route.targets[0]) if route.targets else None


def _seat(target: Target) -> Answerer:
    return Answerer(provider=target.provider, model=target.model)


def _undecided(reason: str) -> Outcome:
    return Outcome(fate=Fate.UNDECIDED, reason=reason)
