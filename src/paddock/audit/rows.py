"""`RowWriter`: puts a batch of rows into the table in the driver's own words.

SQLAlchemy binds each value of each row anew, which takes longer than hashing and writing it; here a statement is compiled
once, and only values whose type wants it (times, on SQLite) are changed on their way.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Dialect, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from paddock.audit.record import COLUMNS
from paddock.db.tables import AuditRowRow

Row = tuple[Any, ...]


class RowWriter:
    """For one kind of database."""

    def __init__(self, dialect: Dialect) -> None:
        columns = {column.name: column for column in AuditRowRow.__table__.columns}
        compiled = insert(AuditRowRow).compile(dialect=dialect, column_keys=[*COLUMNS])
        self._statement = str(compiled)
        order = compiled.positiontup or ()
        assert tuple(order) == COLUMNS, "values are given in the order of the columns"
        binders = [columns[name].type.dialect_impl(dialect).bind_processor(dialect) for name in COLUMNS]
        self._changes: list[tuple[int, Callable[[Any], Any]]] = [
            (place, change) for place, change in enumerate(binders) if change is not None
        ]

    def bound(self, values: list[Any]) -> Row:
        """The values of COLUMNS, in their order, as the driver takes them."""
        for place, change in self._changes:
            values[place] = change(values[place])
        return tuple(values)

    async def write(self, connection: AsyncConnection, rows: Sequence[Row]) -> None:
        """Insert rows that are `bound`, in the connection's transaction."""
        await connection.exec_driver_sql(self._statement, [*rows])
