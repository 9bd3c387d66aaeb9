"""Results of trials, one a model, revision and device: the latest. The oldest go when there are too many."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import msgspec
from sqlalchemy import select

from paddock.catalog.facts import Facts
from paddock.db.engine import Database
from paddock.db.tables import TrialRow
from paddock.library.measurements import revision_of
from paddock.library.records import ModelRecord
from paddock.library.trials.results import TrialResult

TRIALS_MAX: Final = 512
_CAPABILITIES: Final = ("vision", "tools", "thinking", "embeddings")  # those of `can` that facts have


class Trials:
    """In the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, result: TrialResult) -> None:
        """Remember it in place of what was known of the same model, revision and device."""
        row = TrialRow(
            name=result.model,
            revision=result.revision,
            device=result.device,
            result=msgspec.to_builtins(result),
            tried_at=result.tried_at,
        )
        superfluous = select(TrialRow).order_by(TrialRow.tried_at.desc()).offset(TRIALS_MAX)
        async with self._database.session(exclusive=True) as session:
            await session.merge(row)
            await session.flush()
            for old in (await session.scalars(superfluous)).all():
                await session.delete(old)

    async def of(self, record: ModelRecord) -> TrialResult | None:
        """The latest of exactly these files; None when they were never tried."""
        latest = (
            select(TrialRow)
            .where(TrialRow.name == record.name, TrialRow.revision == revision_of(record))
            .order_by(TrialRow.tried_at.desc())
            .limit(1)
        )
        async with self._database.session() as session:
            row = (await session.scalars(latest)).first()
        return row and _read(row)

    async def all(self) -> Sequence[TrialResult]:
        """Every result, the latest first."""
        async with self._database.session() as session:
            rows = (await session.scalars(select(TrialRow).order_by(TrialRow.tried_at.desc()))).all()
        return [result for row in rows if (result := _read(row)) is not None]


def with_measured(facts: Facts, can: Mapping[str, bool]) -> Facts:
    """The same facts, but what a trial showed comes before what files and hubs say."""
    shown = {name: can[name] for name in _CAPABILITIES if name in can}
    origins = {**facts.origins, **dict.fromkeys(shown, "measured")}
    return replace(facts, capabilities=replace(facts.capabilities, **shown), origins=origins)


def _read(row: TrialRow) -> TrialResult | None:
    """None for a row that another version wrote otherwise: the model can be tried again."""
    try:
        return msgspec.convert(row.result, TrialResult, strict=False)
    except msgspec.ValidationError:
        return None
