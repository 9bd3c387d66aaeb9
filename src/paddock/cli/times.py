"""Points in time, as people write them."""

from datetime import datetime

from paddock.cli.desk import Desk
from paddock.config.units import parse_duration
from paddock.errors import UsageError


def point_in_time(desk: Desk, text: str | None) -> datetime | None:
    """A date, a time, or how long ago. Raises UsageError."""
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
        return when if when.tzinfo is not None else when.astimezone()
    except ValueError:
        pass
    try:
        return desk.invocation.now() - parse_duration(text)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"`{text[:40]}` is no time.", hint="Write `2026-11-28`, `2026-11-28T14:00`, or how long ago: `24h`."
        ) from error
