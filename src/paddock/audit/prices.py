"""What an answer costs, by a table of prices for a million tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

_NANOS_A_MILLIONTH: Final = 1000  # a price of 1 for a million tokens is 1000 billionths for one


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """For a million tokens, in whatever currency the table is in."""

    prompt: float = 0.0
    cached: float | None = None  # of the prompt, found in a cache; None is as any other
    completion: float = 0.0


class Prices:
    """The table: patterns of models' names. The longest that fits counts."""

    def __init__(self, table: Mapping[str, Price]) -> None:
        self._table = sorted(table.items(), key=lambda item: (-len(item[0]), item[0]))
        self._found = lru_cache(maxsize=1024)(self._find)

    def cost_nanos(self, model: str, *, prompt: int, cached: int, completion: int) -> int | None:
        """Billionths of the currency; None where no price is known."""
        price = self._found(model) if self._table and model else None
        if price is None:
            return None
        cheap = price.prompt if price.cached is None else price.cached
        cost = (prompt - cached) * price.prompt + cached * cheap + completion * price.completion
        return round(cost * _NANOS_A_MILLIONTH)

    def _find(self, model: str) -> Price | None:
        return next((price for pattern, price in self._table if fnmatchcase(model, pattern)), None)
