"""Looks for models at the hubs, and says of each hit how large it is and whether it would run here."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from paddock.catalog.known import KnownModels
from paddock.errors import NetworkError, PaddockError
from paddock.hub.reference import ModelReference, parse_reference
from paddock.hub.selection import select
from paddock.hub.source import Hit, Source
from paddock.library.inspection import inspect_unread
from paddock.library.judging import Judge
from paddock.library.naming import library_name
from paddock.library.pulling.basis import hub_facts
from paddock.vocabulary import Compatibility, ModelFormat, SourceKind, Verdict

_LISTED_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """One hit. `size`, `fits` and the verdict rest on its list of files; they are unknown where that cannot be had."""

    name: str
    reference: str
    source: SourceKind
    format: ModelFormat
    framework: str
    size: int | None  # bytes that a pull would fetch
    license: str | None
    gated: bool
    downloads: int
    likes: int
    modified_at: datetime | None
    compatibility: Compatibility
    fits: bool | None  # in memory, at the working context
    here: bool

    @property
    def runs_here(self) -> bool | None:
        """Loads and fits; None when nobody can tell."""
        if self.compatibility.verdict is Verdict.UNKNOWN or self.fits is None:
            return False if self.compatibility.verdict is Verdict.INCOMPATIBLE else None
        return self.compatibility.verdict is Verdict.COMPATIBLE and self.fits


class Searcher:
    def __init__(self, *, sources: Mapping[SourceKind, Source], known: KnownModels, judge: Judge) -> None:
        self._sources = sources
        self._known = known
        self._judge = judge

    async def search(
        self, query: str, *, limit: int, source: SourceKind | None, here: Collection[str]
    ) -> Sequence[SearchHit]:
        """Hits of all sources, or of one: those of the hubs first, then the built-in models, which are for trying.

        A hub that does not answer is left out while another finds something. Raises HubUnreachable, or what else is wrong
        with the network, when none does: an empty answer would say that there is no such model.
        """
        asked = [self._sources[source]] if source else list(self._sources.values())
        answers = await asyncio.gather(*(self._hits(one, query, limit) for one in asked), return_exceptions=True)
        found: list[tuple[Source, Sequence[Hit]]] = []
        failures: list[NetworkError] = []
        for one, answer in zip(asked, answers, strict=True):
            match answer:
                case NetworkError():
                    failures.append(answer)
                case PaddockError():
                    if source is not None:  # else a hub that wants credentials which are not there
                        raise answer
                case BaseException():
                    raise answer
                case _:
                    found.append((one, answer))
        chosen = _share(found, limit)
        if failures and not any(one.kind is not SourceKind.BUILTIN for one, _ in chosen):
            raise failures[0]
        room = asyncio.Semaphore(_LISTED_AT_ONCE)
        return await asyncio.gather(*(self._described(one, hit, here, room) for one, hit in chosen))

    async def _hits(self, source: Source, query: str, limit: int) -> Sequence[Hit]:
        return await asyncio.to_thread(source.search, query, limit=limit)

    async def _described(self, source: Source, hit: Hit, here: Collection[str], room: asyncio.Semaphore) -> SearchHit:
        async with room:
            return await asyncio.to_thread(self._describe, source, hit, here)

    def _describe(self, source: Source, hit: Hit, here: Collection[str]) -> SearchHit:
        """Blocking: list the hit's files, read none of them."""
        reference = parse_reference(hit.name) if "://" in hit.name else ModelReference(hit.source, hit.name)
        try:
            listing = source.list(reference)
            selection = select(listing)
        except PaddockError as error:
            return self._undescribed(hit, reference, here, error)
        facts = hub_facts(listing)
        sizes = [(file.path, file.size) for file in selection.files]
        inspection = inspect_unread(hit.name, [path for path, _ in sizes], known=self._known, hub=facts)
        judgement = self._judge.judge(
            hit.name,
            inspection,
            sizes,
            tags=listing.tags,
            gated=listing.gated,
            packed="archive" in listing.metadata,
        )
        working = [step.fits for step in judgement.memory if step.context == judgement.working_context]
        name = library_name(reference, listing.name, selection.selector)
        return SearchHit(
            name=name,
            reference=str(reference),
            source=hit.source,
            format=inspection.facts.format,
            framework=inspection.facts.format.framework,
            size=sum(size or 0 for _, size in sizes),
            license=listing.license or hit.license,
            gated=listing.gated or hit.gated,
            downloads=hit.downloads,
            likes=hit.likes,
            modified_at=listing.modified_at or hit.modified_at,
            compatibility=judgement.compatibility,
            fits=all(working) if working else None,
            here=name in here or hit.name in here,
        )

    def _undescribed(
        self, hit: Hit, reference: ModelReference, here: Collection[str], error: PaddockError
    ) -> SearchHit:
        return SearchHit(
            name=hit.name,
            reference=str(reference),
            source=hit.source,
            format=ModelFormat.UNKNOWN,
            framework=ModelFormat.UNKNOWN.framework,
            size=None,
            license=hit.license,
            gated=hit.gated,
            downloads=hit.downloads,
            likes=hit.likes,
            modified_at=hit.modified_at,
            compatibility=Compatibility(verdict=Verdict.UNKNOWN, reasons=(error.message,)),
            fits=None,
            here=hit.name in here,
        )


def _share(found: Sequence[tuple[Source, Sequence[Hit]]], limit: int) -> list[tuple[Source, Hit]]:
    """At most `limit` hits. The Hugging Face hub leads, and leaves a quarter of the room to the others."""
    by_kind = {one.kind: [(one, hit) for hit in hits] for one, hits in found}
    built_in = by_kind.pop(SourceKind.BUILTIN, [])
    lead = by_kind.pop(SourceKind.HUGGINGFACE, [])
    others = [hit for hits in by_kind.values() for hit in hits]
    lead = lead[: max(limit - len(others), limit - limit // 4)]
    return [*lead, *others, *built_in][:limit]
