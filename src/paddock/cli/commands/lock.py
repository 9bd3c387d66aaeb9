"""`paddock lock` and `paddock sync`: the same models on another machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from paddock.cli.desk import Desk, Given, target
from paddock.cli.flags import ChangingFlags
from paddock.cli.screen import Screen
from paddock.cli.words import several
from paddock.errors import PaddockError
from paddock.library.carry.carrying import SyncReport
from paddock.library.carry.lockfile import LockedModel
from paddock.units import human_bytes

_NO_CHANGE = ChangingFlags()
_LOCK = Path("models.lock")

LockPath = Annotated[Path, Parameter(name="--file", help="The lock file.", show_default=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockDocument:
    path: str
    models: tuple[LockedModel, ...]


async def lock(
    names: Annotated[tuple[str, ...], Parameter(name="MODEL", help="Only these models; without names, all.")] = (),
    /,
    *,
    file: LockPath = _LOCK,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Write the exact models here to `models.lock`.

    Revisions and hashes of every file. Built-in models are everywhere and are left out.
    """
    path = desk.invocation.workspace / file
    async with desk.own_library() as library:
        with target(path, dry_run=flags.dry_run) as place:
            written = await library.carrying.lock(place, names)
    document = LockDocument(path=str(path), models=tuple(written.models))
    said = "would hold" if flags.dry_run else "holds"
    desk.answer(document, lambda screen: screen.line(f"{path} {said} {several(len(document.models), 'model')}."))


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncFailure:
    name: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncDocument:
    """What was lacking and what was done about it. `extra` models are here and not in the lock; they stay."""

    same: bool
    missing: tuple[str, ...]
    different: tuple[str, ...]
    corrupt: tuple[str, ...]
    extra: tuple[str, ...]
    pulled: tuple[str, ...]
    copied: tuple[str, ...]
    failures: tuple[SyncFailure, ...]
    dry_run: bool


async def sync(
    *,
    file: LockPath = _LOCK,
    frozen: Annotated[bool, Parameter(help="Fail unless this machine ends up exactly as the lock says.")] = False,
    folder: Annotated[
        Path | None, Parameter(name="--from", help="A folder carried over by hand: what it holds is not fetched.")
    ] = None,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Make this machine the same as a `models.lock`.

    Every model is taken at its locked revision and checked against its locked hashes. Models beyond the lock stay.
    """
    workspace = desk.invocation.workspace
    path = workspace / file
    async with desk.own_library() as library:

        async def fetch(model: LockedModel) -> None:
            desk.notice(f"Fetching `{model.name}`, {human_bytes(model.size)}…")
            await library.pull_exactly(model.reference, model.revision, name=model.name)

        report = await library.carrying.sync(
            path, frozen=frozen, folder=workspace / folder if folder else None, pull=fetch, dry_run=flags.dry_run
        )
    document = _document(report, dry_run=flags.dry_run)
    desk.answer(document, lambda screen: _show(screen, document))
    if not document.same and not flags.dry_run:
        desk.fail(PaddockError.exit_code)


def _document(report: SyncReport, *, dry_run: bool) -> SyncDocument:
    found = report.differences
    return SyncDocument(
        same=report.is_same,
        missing=tuple(model.name for model in found.missing),
        different=tuple(locked.name for locked, _ in found.different),
        corrupt=tuple(bad.model.name for bad in found.corrupt),
        extra=tuple(model.name for model in found.extra),
        pulled=report.pulled,
        copied=report.copied,
        failures=tuple(SyncFailure(name=name, message=message) for name, message in report.failures),
        dry_run=dry_run,
    )


def _show(screen: Screen, document: SyncDocument) -> None:
    if document.dry_run:
        for title, names in (
            ("missing", document.missing),
            ("another revision", document.different),
            ("other files", document.corrupt),
        ):
            for name in names:
                screen.line(f"{name}: {title}")
    for name in document.pulled:
        screen.line(f"{name}: fetched")
    for name in document.copied:
        screen.line(f"{name}: copied from the folder")
    for failure in document.failures:
        screen.sentence(f"{failure.name}: failed. {failure.message}")
    if document.same:
        screen.line("This machine holds what the lock says.")
