"""Which rows somebody wants to see."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_

from paddock.db.tables import AuditRowRow

FAILED = (AuditRowRow.status >= 400) | (AuditRowRow.error_code != "")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which rows. What is None does not matter."""

    since: datetime | None = None
    until: datetime | None = None
    caller: str | None = None
    model: str | None = None  # asked for, or that answered
    provider: str | None = None
    route: str | None = None  # how the name led there, or the rule that did
    status: int | None = None
    failed: bool = False  # only those that were not answered well


def conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    """What a row has to meet."""
    found: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        found.append(AuditRowRow.at >= wanted.since)
    if wanted.until is not None:
        found.append(AuditRowRow.at < wanted.until)
    if wanted.caller is not None:
        found.append(AuditRowRow.caller == wanted.caller)
    if wanted.model is not None:
        found.append(or_(AuditRowRow.model == wanted.model, AuditRowRow.asked_model == wanted.model))
    if wanted.provider is not None:
        found.append(AuditRowRow.provider == wanted.provider)
    if wanted.route is not None:
        found.append(or_(AuditRowRow.route == wanted.route, AuditRowRow.rule == wanted.route))
    if wanted.status is not None:
        found.append(AuditRowRow.status == wanted.status)
    if wanted.failed:
        found.append(FAILED)
    return found
