"""Which model is meant. One function: routing by profile takes its place."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from paddock.config.kinds import NAME_CHARACTERS_MAX
from paddock.errors import ModelNotFound
from paddock.library.records import ModelRecord

Find = Callable[[str], Awaitable[ModelRecord]]
_SHOWN_CHARACTERS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Who is to answer, and how the asked name led there."""

    record: ModelRecord
    route: str  # `exact`, `alias` (or a short name), `default`


async def resolve(name: str, *, find: Find, default: str) -> Target:
    """The model that `name` means; empty means `default`. Raises ModelNotFound with near names, UsageError for several."""
    if len(name) > NAME_CHARACTERS_MAX:
        raise ModelNotFound(
            f"There is no model `{name[:_SHOWN_CHARACTERS]}…`.",
            hint=f"Names have at most {NAME_CHARACTERS_MAX} characters; `paddock list` shows what is here.",
        )
    record = await find(name or default)
    return Target(record=record, route="default" if not name else "exact" if name == record.name else "alias")
