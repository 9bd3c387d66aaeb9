"""What a plan rests on: what the source told about one revision, which files of it we want, and what they turn out to be.

Asking costs network round trips, so an answer is good for five minutes within a process. The last one is kept in the
database: when the source cannot be reached, it serves, marked stale.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from paddock.catalog.compatibility import judge
from paddock.catalog.detection import HubFacts
from paddock.catalog.evidence.config import is_remote_code
from paddock.catalog.facts import Facts
from paddock.catalog.known import KnownModels
from paddock.catalog.sizing import Device, MemoryEstimate, estimate_memory
from paddock.db.engine import Database
from paddock.db.tables import HubCacheRow
from paddock.errors import Corrupt, HubUnreachable, PaddockError
from paddock.hub.reference import ModelReference
from paddock.hub.selection import select
from paddock.hub.source import Listing, RemoteFile, Source
from paddock.library.caching import TimedCache
from paddock.library.inspection import Inspection, inspect
from paddock.library.machine import Machine
from paddock.library.naming import library_name
from paddock.vocabulary import Compatibility, SourceKind

_KEY_CHARACTERS_MAX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """One revision of one model, judged."""

    name: str
    listing: Listing
    chosen: tuple[RemoteFile, ...]
    facts: Facts
    compatibility: Compatibility
    peaks: Mapping[int, int]  # peak bytes by context length; empty when nobody can tell
    working_context: int
    problems: tuple[str, ...]
    told_at: datetime
    stale: bool = False


class Bases:
    """Asks sources, and remembers."""

    def __init__(
        self,
        *,
        sources: Mapping[SourceKind, Source],
        known: KnownModels,
        machine: Machine,
        budget_bytes: int,
        database: Database,
        lifetime_s: float,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._sources = sources
        self._known = known
        self._machine = machine
        self._budget_bytes = budget_bytes
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
            return (await self._cache.get(key, lambda: self._ask(reference))).value
        except HubUnreachable:
            remembered = await self._remembered(key)
            if remembered is None:
                raise
            return remembered

    def clear(self) -> None:
        self._cache.clear()

    async def _ask(self, reference: ModelReference) -> Basis:
        basis = await asyncio.to_thread(self._look, reference)
        await self._remember(str(reference), basis)
        return basis

    def _look(self, reference: ModelReference) -> Basis:
        """Blocking: list, choose, read headers, judge."""
        assert reference.source is not None, "a bare name is resolved before a source is asked"
        source = self._sources[reference.source]
        listing = source.list(reference)
        selection = select(listing)
        hub = hub_facts(listing)
        inspection, problem = self._inspect(source, listing, selection.files, hub)
        estimate = self._estimate(inspection, selection.files)
        working = estimate.contexts[1] if estimate else min(8192, inspection.facts.context_window)
        return Basis(
            name=library_name(reference, listing.name, selection.selector),
            listing=listing,
            chosen=selection.files,
            facts=inspection.facts,
            compatibility=self._judge(listing, selection.files, inspection),
            peaks={context: estimate.peak_bytes(context) for context in estimate.contexts} if estimate else {},
            working_context=working,
            problems=(*inspection.problems, *problem),
            told_at=self._now(),
        )

    def _inspect(
        self, source: Source, listing: Listing, files: tuple[RemoteFile, ...], hub: HubFacts
    ) -> tuple[Inspection, tuple[str, ...]]:
        """Headers may be behind a gate that the listing is not behind: then the hub's own words must do."""
        by_path = {file.path: file for file in files}
        sizes = {file.path: file.size for file in files}
        try:
            found = inspect(
                listing.name, sizes, lambda path: source.reader(listing, by_path[path]), known=self._known, hub=hub
            )
        except HubUnreachable:
            raise
        except PaddockError as error:
            blind = inspect(listing.name, {}, _nothing, known=self._known, hub=hub)
            return blind, (error.message,)
        return found, ()

    def _estimate(self, inspection: Inspection, files: tuple[RemoteFile, ...]) -> MemoryEstimate | None:
        weights = [file.size for file in files if file.path.endswith((".safetensors", ".gguf"))]
        return estimate_memory(
            facts=inspection.facts,
            device=Device(self._machine.device),
            config=inspection.config,
            safetensors=inspection.safetensors,
            gguf=inspection.gguf,
            stored_bytes=sum(size or 0 for size in weights) or None,
            budget_bytes=self._budget_bytes,
        )

    def _judge(self, listing: Listing, chosen: tuple[RemoteFile, ...], inspection: Inspection) -> Compatibility:
        config = inspection.config or {}
        quantization = config.get("quantization_config")
        method = quantization.get("quant_method") if isinstance(quantization, dict) else None  # pyright: ignore
        return judge(
            name=listing.name,
            files=[file.path for file in chosen],
            format=inspection.facts.format,
            tags=listing.tags,
            architecture=inspection.facts.architecture,
            remote_code=is_remote_code(config),
            quantization_method=method if isinstance(method, str) else None,
            gated=listing.gated,
        )

    async def _remember(self, key: str, basis: Basis) -> None:
        if len(key) > _KEY_CHARACTERS_MAX:
            return
        row = HubCacheRow(key=key, payload=_to_json(basis), fetched_at=basis.told_at)
        async with self._database.session() as session:
            await session.merge(row)

    async def _remembered(self, key: str) -> Basis | None:
        """The last answer, stale; None when there is none that can be read."""
        async with self._database.session() as session:
            row = await session.get(HubCacheRow, key)
        if row is None:
            return None
        try:
            return replace(_from_json(row.payload), stale=True)
        except (Corrupt, msgspec.ValidationError, KeyError, TypeError):
            return None


def hub_facts(listing: Listing) -> HubFacts:
    return HubFacts(
        tags=listing.tags,
        pipeline_tag=listing.pipeline_tag,
        library_name=listing.library_name,
        metadata=listing.metadata,
    )


def _nothing(path: str) -> Any:
    raise AssertionError(f"no file is listed, so {path} cannot be asked for")


def _to_json(basis: Basis) -> dict[str, Any]:
    return {
        "name": basis.name,
        "listing": msgspec.to_builtins(basis.listing),
        "chosen": [file.path for file in basis.chosen],
        "facts": basis.facts.to_json(),
        "compatibility": msgspec.to_builtins(basis.compatibility),
        "peaks": [[context, peak] for context, peak in basis.peaks.items()],
        "working_context": basis.working_context,
        "problems": list(basis.problems),
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
        compatibility=msgspec.convert(payload["compatibility"], Compatibility),
        peaks=dict(msgspec.convert(payload["peaks"], list[tuple[int, int]])),
        working_context=msgspec.convert(payload["working_context"], int),
        problems=msgspec.convert(payload["problems"], tuple[str, ...]),
        told_at=msgspec.convert(payload["told_at"], datetime),
    )
