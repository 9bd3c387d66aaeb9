"""Responses that were asked for to be kept, so that a later one can go on from them. The oldest go when there are too many.

A row holds all that its response knew, so that no other row has to be there for it: it may go while those before it are gone.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import delete, select

from paddock.db.engine import Database
from paddock.db.tables import ResponseRow
from paddock.errors import StorageError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptResponse:
    """One response, with what was said before it."""

    id: str
    document: Mapping[str, Any]  # as it was sent
    context: Sequence[Mapping[str, Any]]  # its input's items, and all that came before them


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is kept."""

    count: int
    size_bytes: int
    age: timedelta


class KeptResponses:
    """In the database. Whoever asks is shown their own."""

    def __init__(self, database: Database, *, bounds: Bounds, now: Callable[[], datetime]) -> None:
        self._database = database
        self._bounds = bounds
        self._now = now

    async def keep(self, response: KeptResponse, *, tenant: str) -> bool:
        """Whether it is kept: one that is larger than all may be together is not, nor what the database cannot take.

        Raises nothing for the latter: whoever asked wants the answer that is there.
        """
        size_bytes = len(msgspec.json.encode(response.document)) + len(msgspec.json.encode(response.context))
        if size_bytes > self._bounds.size_bytes:
            _log.warning("responses.too_large id=%s bytes=%d", response.id, size_bytes)
            return False
        row = ResponseRow(
            id=response.id,
            tenant=tenant,
            document=dict(response.document),
            context=[dict(item) for item in response.context],
            size_bytes=size_bytes,
            created_at=self._now(),
        )
        try:
            await self._save(row)
        except StorageError as error:
            _log.warning("responses.not_kept id=%s reason=%s", response.id, error.message)
            return False
        return True

    async def get(self, response_id: str, *, tenant: str) -> KeptResponse | None:
        """The response with this id; None when it is not there, is somebody else's or too old."""
        async with self._database.session() as session:
            row = (await session.scalars(select(ResponseRow).where(*self._theirs(response_id, tenant)))).first()
        return row and KeptResponse(id=row.id, document=row.document, context=row.context)

    async def delete(self, response_id: str, *, tenant: str) -> bool:
        """Whether it was there."""
        async with self._database.session(exclusive=True) as session:
            row = (await session.scalars(select(ResponseRow).where(*self._theirs(response_id, tenant)))).first()
            if row is None:
                return False
            await session.delete(row)
        return True

    def _theirs(self, response_id: str, tenant: str) -> Sequence[Any]:
        return (
            ResponseRow.id == response_id,
            ResponseRow.tenant == tenant,
            ResponseRow.created_at > self._now() - self._bounds.age,
        )

    async def _save(self, row: ResponseRow) -> None:
        newest = select(ResponseRow.number, ResponseRow.size_bytes).order_by(ResponseRow.number.desc())
        async with self._database.session(exclusive=True) as session:
            session.add(row)
            await session.flush()
            await session.execute(delete(ResponseRow).where(ResponseRow.created_at <= self._now() - self._bounds.age))
            total_bytes, superfluous = 0, list[int]()
            for place, (number, size_bytes) in enumerate(await session.execute(newest)):
                total_bytes += size_bytes
                if place >= self._bounds.count or total_bytes > self._bounds.size_bytes:
                    superfluous.append(number)
            if superfluous:
                await session.execute(delete(ResponseRow).where(ResponseRow.number <= max(superfluous)))
