"""What models really took when they were loaded here. A prediction ends where a measurement begins.

Two kinds: what a model took once it was loaded (one row a model, revision and device: the latest), and what it took at the
most while it worked, with what the work was (the last few of each). The oldest rows go when there are too many.

"Took" is what the machine loses. On CPUs that is the resident memory of the runner's process, libraries included: the kernel
keeps its peak, and what runners share of it is a few MB. On GPUs it is the arrays on the device.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import select

from paddock.catalog.correcting import MemoryFacts
from paddock.db.engine import Database
from paddock.db.tables import MeasurementRow, MemoryPeakRow
from paddock.errors import PaddockError, StorageError
from paddock.fleet.fleet import Runner
from paddock.library.records import ModelRecord

MEASUREMENTS_MAX: Final = 512
PEAKS_MAX: Final = 4096
PEAKS_OF_ONE_MAX: Final = 16

_log = logging.getLogger(__name__)

Key = tuple[str, str]  # name and revision


class Measurements:
    """Memory that models took on one device, by model and revision."""

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
        return await self._kept(row)

    async def keep_peak(self, record: ModelRecord, runner: Runner) -> bool:
        """Remember the most that `record` took in `runner` so far, and for what; likewise.

        To be called before the runner is stopped, and as often as one likes; not kept when it has not worked yet, or is gone.
        """
        if runner.spec.draft_path is not None:
            return False
        memory = (await runner.stats()).memory
        try:
            model = runner.model
        except PaddockError:
            return False
        if memory is None or memory.step_tokens_max == 0:
            return False
        row = MemoryPeakRow(
            name=record.name,
            revision=revision_of(record),
            device=model.device,
            context_window=runner.spec.context_window or model.context_window,
            loaded_bytes=model.memory_bytes,
            peak_bytes=memory.peak_bytes,
            kv_bytes=memory.kv_bytes_max,
            context=memory.context_max,
            tokens=memory.tokens_max,
            step_tokens=memory.step_tokens_max,
            measured_at=self._now(),
        )
        return await self._kept(row)

    async def of(self, record: ModelRecord) -> tuple[MemoryFacts, ...]:
        """All that is known of exactly these files, the latest last; empty when they were never loaded."""
        return (await self.all()).get((record.name, revision_of(record)), ())

    async def all(self) -> Mapping[Key, tuple[MemoryFacts, ...]]:
        """The same for every model, by name and revision."""
        loads = select(MeasurementRow).where(MeasurementRow.device == self._device)
        peaks = select(MemoryPeakRow).where(MemoryPeakRow.device == self._device).order_by(MemoryPeakRow.id)
        async with self._database.session() as session:
            load_rows = (await session.scalars(loads)).all()
            peak_rows = (await session.scalars(peaks)).all()
        found: dict[Key, list[MemoryFacts]] = {}
        for row in peak_rows:
            found.setdefault((row.name, row.revision), []).append(_fact(row))
        for row in load_rows:
            found.setdefault((row.name, row.revision), []).append(MemoryFacts(loaded_bytes=row.memory_bytes))
        return {key: tuple(facts) for key, facts in found.items()}

    async def _kept(self, row: MeasurementRow | MemoryPeakRow) -> bool:
        try:
            await self._save(row)
        except StorageError as error:
            _log.warning("measurements.not_kept name=%s reason=%s", row.name, error.message)
            return False
        return True

    async def _save(self, row: MeasurementRow | MemoryPeakRow) -> None:
        loads = select(MeasurementRow).order_by(MeasurementRow.measured_at.desc()).offset(MEASUREMENTS_MAX)
        peaks = select(MemoryPeakRow).order_by(MemoryPeakRow.id.desc())
        same = (
            MemoryPeakRow.name == row.name,
            MemoryPeakRow.revision == row.revision,
            MemoryPeakRow.device == row.device,
        )
        async with self._database.session(exclusive=True) as session:
            await session.merge(row)
            await session.flush()
            for superfluous in (loads, peaks.offset(PEAKS_MAX), peaks.where(*same).offset(PEAKS_OF_ONE_MAX)):
                for old in (await session.scalars(superfluous)).all():
                    await session.delete(old)


def revision_of(record: ModelRecord) -> str:
    """Files without a revision are told apart by what they look like on the disk."""
    return record.revision or record.fingerprint


def _fact(row: MemoryPeakRow) -> MemoryFacts:
    return MemoryFacts(
        loaded_bytes=row.loaded_bytes,
        peak_bytes=row.peak_bytes,
        kv_bytes=row.kv_bytes,
        context=row.context,
        tokens=row.tokens,
        step_tokens=row.step_tokens,
    )
