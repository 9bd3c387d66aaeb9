"""What the disk holds and what could leave it: the storage report, and the choice of a clean-up.

Pure functions over plain values; nothing is deleted here. Bytes that several models share are freed only when the last
of them goes, and both the report and the plan count them that way.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from paddock.vocabulary import ModelFormat, Origin

Identity = tuple[int, int]
LEFTOVER_AGE_MIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Bytes on a disk. Two models with the same `identity` (device and inode) share them."""

    identity: Identity
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """What the choice needs to know about one model."""

    name: str
    format: ModelFormat
    origin: Origin
    files: tuple[StoredFile, ...]
    added_at: datetime
    last_used_at: datetime | None = None
    pinned: bool = False
    in_use_by: str | None = None  # who holds it now, for the reason

    @property
    def size(self) -> int:
        return sum({file.identity: file.size for file in self.files}.values())

    @property
    def used_at(self) -> datetime:
        """When it was last of use; a model that nobody has used yet counts from its arrival."""
        return max(self.added_at, self.last_used_at) if self.last_used_at else self.added_at


class LeftoverKind(StrEnum):
    PARTIAL = "partial"  # bytes of a pull that no pull will go on with
    ORPHAN = "orphan"  # content that no model uses, such as a revision that a newer one replaced


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Bytes of ours that belong to no model."""

    path: Path
    kind: LeftoverKind
    size: int
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One line of the plan: a model to remove. `freed_bytes` is what its going frees after the lines above it."""

    name: str
    freed_bytes: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A model that stays although it was old enough, or space was wanted."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePlan:
    """What would go, in order, and what would stay."""

    removals: tuple[Removal, ...]
    leftovers: tuple[Leftover, ...]
    kept: tuple[Kept, ...]
    used_bytes: int  # by all models now, shared bytes once
    missing_bytes: int = 0  # how far from `max_bytes` the disk stays, because the rest may not go

    @property
    def freed_bytes(self) -> int:
        return sum(removal.freed_bytes for removal in self.removals) + sum(left.size for left in self.leftovers)

    @property
    def is_empty(self) -> bool:
        return not (self.removals or self.leftovers)


def choose(
    models: Sequence[StoredModel],
    *,
    now: datetime,
    older_than: timedelta | None = None,
    max_bytes: int | None = None,
    leftovers: Iterable[Leftover] = (),
    leftover_age_min: timedelta = LEFTOVER_AGE_MIN,
) -> PrunePlan:
    """Models unused for `older_than`, then the least recently used until all models together take `max_bytes`.

    Only models that we fetched may go: never a pinned, adopted, registered or built-in one, nor one that is in use. A
    model whose bytes others keep alive would free nothing and stays. Parts go when they are old enough that nobody is
    still writing them. With neither limit, only leftovers go.
    """
    ledger = _Ledger(models)
    used_bytes = ledger.used_bytes
    reasons: dict[str, str] = {}
    kept: list[Kept] = []
    for model in sorted(models, key=lambda model: (model.used_at, model.name)):
        age = now - model.used_at
        is_old = older_than is not None and age >= older_than
        is_too_much = max_bytes is not None and ledger.used_bytes > max_bytes
        if not (is_old or is_too_much):
            continue
        if protection := _protection(model):
            kept.append(Kept(name=model.name, reason=protection))
            continue
        reasons[model.name] = f"{_since(model)} {_days(age)} ago" if is_old else "makes room, least recently used"
        ledger.remove(model)
    removals = [
        Removal(name=name, freed_bytes=freed_bytes, reason=reasons[name])
        for name, freed_bytes in ledger.freed.items()
        if ledger.frees_something(name)
    ]
    kept += [
        Kept(name=name, reason="would free nothing: models that stay hold all its bytes")
        for name in reasons
        if not ledger.frees_something(name)
    ]
    return PrunePlan(
        removals=tuple(removals),
        leftovers=tuple(
            left for left in leftovers if left.kind is LeftoverKind.ORPHAN or now - left.modified_at >= leftover_age_min
        ),
        kept=tuple(kept),
        used_bytes=used_bytes,
        missing_bytes=max(0, ledger.used_bytes - max_bytes) if max_bytes is not None else 0,
    )


def _protection(model: StoredModel) -> str | None:
    """Why `model` may not go; None when it may."""
    if model.in_use_by:
        return f"in use by {model.in_use_by}"
    if model.pinned:
        return "pinned"
    match model.origin:
        case Origin.PULLED:
            return None
        case Origin.ADOPTED:
            return "belongs to another tool"
        case Origin.REGISTERED:
            return "registered by its owner"
        case Origin.BUILTIN:
            return "built in"


def _since(model: StoredModel) -> str:
    return "last used" if model.last_used_at and model.last_used_at >= model.added_at else "never used, added"


def _days(age: timedelta) -> str:
    return "1 day" if age.days == 1 else f"{age.days} days"


class _Ledger:
    """Who still holds which bytes, while models are taken away one after the other."""

    def __init__(self, models: Sequence[StoredModel]) -> None:
        self._models = {model.name: model for model in models}
        assert len(self._models) == len(models), "model names are unique"
        self._holders: dict[Identity, set[str]] = defaultdict(set)
        self._sizes: dict[Identity, int] = {}
        for model in models:
            for file in model.files:
                self._holders[file.identity].add(model.name)
                self._sizes[file.identity] = file.size
        self.used_bytes = sum(self._sizes.values())
        self.freed: dict[str, int] = {}

    def remove(self, model: StoredModel) -> None:
        freed = 0
        for identity in {file.identity for file in model.files}:
            holders = self._holders[identity]
            holders.discard(model.name)
            if not holders:
                freed += self._sizes[identity]
        self.freed[model.name] = freed
        self.used_bytes -= freed

    def frees_something(self, name: str) -> bool:
        """True when, after all removals, some byte of the model has gone; also one that a later removal let go."""
        model = self._models[name]
        return not model.files or any(not self._holders[file.identity] for file in model.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUsage:
    """One model's share of the disk: `own_bytes` would go with it, `shared_bytes` it holds together with others."""

    name: str
    framework: str
    own_bytes: int
    shared_bytes: int
    shared_with: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return self.own_bytes + self.shared_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """The disk by framework, by model and by sharing. Every byte is counted once in the totals."""

    models: tuple[ModelUsage, ...]  # largest first
    frameworks: Mapping[str, int] = field(default_factory=dict[str, int])  # largest first
    total_bytes: int
    shared_bytes: int  # held by two models or more
    saved_bytes: int  # what sharing spares: the sizes added up, less the total


def usage(models: Sequence[StoredModel]) -> UsageReport:
    """What each model and each framework takes. Bytes shared across frameworks count for the first by name."""
    holders: dict[Identity, list[StoredModel]] = defaultdict(list)
    sizes: dict[Identity, int] = {}
    for model in models:
        for identity, size in {file.identity: file.size for file in model.files}.items():
            holders[identity].append(model)
            sizes[identity] = size
    frameworks: dict[str, int] = defaultdict(int)
    for identity, size in sizes.items():
        frameworks[min(model.format.framework for model in holders[identity])] += size
    lines = [_model_usage(model, holders, sizes) for model in models]
    total = sum(sizes.values())
    return UsageReport(
        models=tuple(sorted(lines, key=lambda line: (-line.size, line.name))),
        frameworks=dict(sorted(frameworks.items(), key=lambda item: (-item[1], item[0]))),
        total_bytes=total,
        shared_bytes=sum(size for identity, size in sizes.items() if len(holders[identity]) > 1),
        saved_bytes=sum(line.size for line in lines) - total,
    )


def _model_usage(
    model: StoredModel, holders: Mapping[Identity, Sequence[StoredModel]], sizes: Mapping[Identity, int]
) -> ModelUsage:
    identities = {file.identity for file in model.files}
    shared = {identity for identity in identities if len(holders[identity]) > 1}
    others = {other.name for identity in shared for other in holders[identity]} - {model.name}
    return ModelUsage(
        name=model.name,
        framework=model.format.framework,
        own_bytes=sum(sizes[identity] for identity in identities - shared),
        shared_bytes=sum(sizes[identity] for identity in shared),
        shared_with=tuple(sorted(others)),
    )
