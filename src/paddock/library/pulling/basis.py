"""What a plan rests on: what the source told about one revision, which of its files we want, and what they are.

Asking costs network round trips, so an answer is good for five minutes within a process. The last one is kept in the
database: when the source cannot be reached, it serves, marked stale.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import delete

from paddock.catalog.correcting import MemoryFacts
from paddock.catalog.detection import HubFacts
from paddock.catalog.facts import Facts
from paddock.catalog.known import KnownModels
from paddock.db.engine import Database
from paddock.db.tables import HubCacheRow
from paddock.errors import Airgapped, Corrupt, HubUnreachable, PaddockError
from paddock.hub.reference import ModelReference
from paddock.hub.selection import select
from paddock.hub.source import Listing, RemoteFile, Source
from paddock.library.caching import TimedCache
from paddock.library.inspection import Inspection, inspect, inspect_unread
from paddock.library.judging import Judge, Judgement
from paddock.library.measurements import Measurements
from paddock.library.naming import library_name
from paddock.vocabulary import SourceKind

_KEY_CHARACTERS_MAX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """One revision of one model, judged."""

    name: str
    listing: Listing
    chosen: tuple[RemoteFile, ...]
    facts: Facts
    judgement: Judgement
    told_at: datetime
    stale: bool = False


class Bases:
    """Asks sources, and remembers."""

    def __init__(
        self,
        *,
        sources: Mapping[SourceKind, Source],
        known: KnownModels,
        judge: Judge,
        measurements: Measurements,
        database: Database,
        lifetime_s: float,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._sources = sources
        self._known = known
        self._judge = judge
        self._measurements = measurements
        self._database = database
        self._now = now
        self._cache: TimedCache[Basis] = TimedCache(lifetime_s=lifetime_s, clock=clock)

    async def ask(self, reference: ModelReference) -> Basis:
        """What the source says now. Raises what it raises, HubUnreachable included."""
        self._cache.invalidate(str(reference))
        return (await self._cache.get(str(reference), lambda: self._ask(reference))).value

    async def get(self, reference: ModelReference) -> Basis:
        """What is known of `reference`, at most five minutes old, or older and stale when its source does not answer.

        Raises what the source raises; HubUnreachable only when nothing was ever known.
        """
        key = str(reference)
        try:
            cached = await self._cache.get(key, lambda: self._ask(reference))
            return replace(cached.value, stale=cached.stale)
        except (HubUnreachable, Airgapped):
            remembered = await self._remembered(key)
            if remembered is None:
                raise
            return remembered

    def clear(self) -> None:
        self._cache.clear()

    async def _ask(self, reference: ModelReference) -> Basis:
        measured = await self._measurements.all()
        basis = await asyncio.to_thread(self._look, reference, measured)
        await self._remember(str(reference), basis)
        return basis

    def _look(self, reference: ModelReference, measured: Mapping[tuple[str, str], Sequence[MemoryFacts]]) -> Basis:
        """Blocking: list, choose, read headers, judge."""
        assert reference.source is not None, "a bare name is resolved before a source is asked"
        source = self._sources[reference.source]
        listing = source.list(reference)
        if listing.source is SourceKind.HUGGINGFACE:  # its own spelling, which the cache folder is named after
            listing = replace(listing, reference=replace(reference, name=listing.name))
        selection = select(listing)
        name = library_name(reference, listing.name, selection.selector)
        hub = hub_facts(listing)
        inspection = self._inspect(source, listing, selection.files, hub)
        judgement = self._judge.judge(
            listing.name,
            inspection,
            [(file.path, file.size) for file in selection.files],
            tags=listing.tags,
            gated=listing.gated,
            packed="archive" in listing.metadata,
            measured=measured.get((name, listing.revision), ()),
        )
        return Basis(
            name=name,
            listing=listing,
            chosen=selection.files,
            facts=inspection.facts,
            judgement=judgement,
            told_at=self._now(),
        )

    def _inspect(self, source: Source, listing: Listing, files: tuple[RemoteFile, ...], hub: HubFacts) -> Inspection:
        """Headers may be behind a gate that the listing is not behind: then the hub's own words must do."""
        by_path = {file.path: file for file in files}
        paths = [file.path for file in files]
        try:
            return inspect(
                listing.name, paths, lambda path: source.reader(listing, by_path[path]), known=self._known, hub=hub
            )
        except (HubUnreachable, Airgapped):
            raise
        except PaddockError as error:
            blind = inspect_unread(listing.name, paths, known=self._known, hub=hub)
            return replace(blind, problems=(error.message,))

    async def _remember(self, key: str, basis: Basis) -> None:
        if len(key) > _KEY_CHARACTERS_MAX:
            return
        row = HubCacheRow(key=key, payload=_to_json(basis), fetched_at=basis.told_at)
        async with self._database.session(exclusive=True) as session:
            # Not `merge`, which reads the old row first: it may be damaged, and this is what heals it.
            await session.execute(delete(HubCacheRow).where(HubCacheRow.key == key))
            session.add(row)

    async def _remembered(self, key: str) -> Basis | None:
        """The last answer, stale; None when there is none that can be read."""
        try:
            async with self._database.session() as session:
                row = await session.get(HubCacheRow, key)
            return replace(_from_json(row.payload), stale=True) if row is not None else None
        except (Corrupt, msgspec.ValidationError, ValueError, KeyError, TypeError):
            return None


def hub_facts(listing: Listing) -> HubFacts:
    return HubFacts(
        tags=listing.tags,
        pipeline_tag=listing.pipeline_tag,
        library_name=listing.library_name,
        metadata=listing.metadata,
    )


def _to_json(basis: Basis) -> dict[str, Any]:
    return {
        "name": basis.name,
        "listing": msgspec.to_builtins(basis.listing),
        "chosen": [file.path for file in basis.chosen],
        "facts": basis.facts.to_json(),
        "judgement": msgspec.to_builtins(basis.judgement),
        "told_at": basis.told_at.isoformat(),
    }


def _from_json(payload: Mapping[str, Any]) -> Basis:
    listing = msgspec.convert(payload["listing"], Listing)
    chosen = set(msgspec.convert(payload["chosen"], list[str]))
    return Basis(
        name=msgspec.convert(payload["name"], str),
        listing=listing,
        chosen=tuple(file for file in listing.files if file.path in chosen),
        facts=Facts.from_json(payload["facts"]),
        judgement=msgspec.convert(payload["judgement"], Judgement),
        told_at=msgspec.convert(payload["told_at"], datetime),
    )
