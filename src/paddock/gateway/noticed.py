"""Rows that rarely change and are needed for every request: kept in memory, read again when somebody changed them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute

from paddock.db.engine import Database

Value = TypeVar("Value")
_LOOK_S: Final = 1.0  # another process may have changed them: so often the database is asked


class Noticed(Generic[Value]):
    """A value made of all rows of a table, as they are now or were a second ago."""

    def __init__(
        self,
        database: Database,
        *,
        counted: InstrumentedAttribute[Any],
        changed: InstrumentedAttribute[Any],
        read: Callable[[], Awaitable[Value]],
        clock: Callable[[], float],
    ) -> None:
        """`counted` and `changed` are columns: their count and their latest tell whether anything changed."""
        self._database = database
        self._marks: tuple[ColumnElement[Any], ...] = (func.count(counted), func.max(changed))
        self._read = read
        self._clock = clock
        self._mark: tuple[Any, ...] | None = None
        self._looked_at = float("-inf")
        self._value: Value | None = None
        self._changes = 0
        self._looking = asyncio.Lock()

    async def get(self) -> Value:
        """The value. Of many that ask at once, one looks, and the others wait for it."""
        if (value := self._fresh()) is not None:
            return value
        async with self._looking:
            while (value := self._fresh()) is None:
                await self._look()
        return value

    def forget(self) -> None:
        """Somebody here changed them."""
        self._value = None
        self._changes += 1

    def _fresh(self) -> Value | None:
        return self._value if self._clock() - self._looked_at < _LOOK_S else None

    async def _look(self) -> None:
        changes, now = self._changes, self._clock()
        async with self._database.session() as session:
            mark = tuple((await session.execute(select(*self._marks))).one())
        value = self._value
        if value is None or mark != self._mark:
            value = await self._read()
        if changes == self._changes:  # else what was just read may be from before the change
            self._value, self._mark, self._looked_at = value, mark, now
