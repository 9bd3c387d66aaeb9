"""What models really took when they were loaded here. A prediction ends where a measurement begins.

One row a model, revision and device: the latest load. The oldest rows go when there are too many.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import select

from paddock.db.engine import Database
from paddock.db.tables import MeasurementRow
from paddock.errors import StorageError
from paddock.fleet.fleet import Runner
from paddock.library.records import ModelRecord

MEASUREMENTS_MAX: Final = 512

_log = logging.getLogger(__name__)


class Measurements:
    """Memory after loading, before the first prompt, by model and revision."""

    def __init__(self, database: Database, *, device: str, now: Callable[[], datetime]) -> None:
        """`device` is the one whose measurements count: a model takes less on a GPU that keeps it as stored."""
        self._database = database
        self._device = device
        self._now = now

    async def keep(self, record: ModelRecord, runner: Runner) -> bool:
        """Remember what loading `record` into `runner` took; whether there was something to remember, and room for it.

        Raises nothing for a database that cannot be written: whoever loaded the model wants an answer from it.
        """
        if runner.spec.draft_path is not None:
            return False  # two models in one process: nobody can tell how much is whose
        row = MeasurementRow(
            name=record.name,
            revision=revision_of(record),
            device=runner.model.device,
            memory_bytes=runner.model.memory_bytes,
            load_seconds=runner.model.load_seconds,
            measured_at=self._now(),
        )
        try:
            await self._save(row)
        except StorageError as error:
            _log.warning("measurements.not_kept name=%s reason=%s", record.name, error.message)
            return False
        return True

    async def bytes_of(self, record: ModelRecord) -> int | None:
        """What the latest load of exactly these files took; None when they were never loaded."""
        key = (record.name, revision_of(record), self._device)
        async with self._database.session() as session:
            row = await session.get(MeasurementRow, key)
        return row.memory_bytes if row is not None else None

    async def all(self) -> Mapping[tuple[str, str], int]:
        """Bytes by name and revision."""
        wanted = select(MeasurementRow).where(MeasurementRow.device == self._device)
        async with self._database.session() as session:
            rows = (await session.scalars(wanted)).all()
        return {(row.name, row.revision): row.memory_bytes for row in rows}

    async def _save(self, row: MeasurementRow) -> None:
        async with self._database.session(exclusive=True) as session:
            await session.merge(row)
            await session.flush()
            superfluous = select(MeasurementRow).order_by(MeasurementRow.measured_at.desc()).offset(MEASUREMENTS_MAX)
            for old in (await session.scalars(superfluous)).all():
                await session.delete(old)


def revision_of(record: ModelRecord) -> str:
    """Files without a revision are told apart by what they look like on the disk."""
    return record.revision or record.fingerprint
