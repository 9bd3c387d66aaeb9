"""Rows that rarely change and are needed for every request: kept in memory, read again when somebody changed them."""

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

    async def get(self) -> Value:
        now = self._clock()
        if self._value is not None and now - self._looked_at < _LOOK_S:
            return self._value
        async with self._database.session() as session:
            mark = tuple((await session.execute(select(*self._marks))).one())
        if self._value is None or mark != self._mark:
            self._value = await self._read()
            self._mark = mark
        self._looked_at = now
        return self._value

    def forget(self) -> None:
        """Somebody here changed them."""
        self._value = None
