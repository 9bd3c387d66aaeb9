"""`paddock export` and `paddock import`: models, or the registry, carried to another machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from paddock.cli.desk import Desk, Given, target
from paddock.cli.flags import ChangingFlags
from paddock.cli.screen import Screen
from paddock.cli.words import several
from paddock.errors import UsageError
from paddock.library.carry.registry import Conflict, Registry, RegistryImport
from paddock.units import human_bytes

_NO_CHANGE = ChangingFlags()

Place = Annotated[Path, Parameter(help="A folder for models, a file with `--registry`.")]
Models = Annotated[tuple[str, ...], Parameter(name="MODEL", help="Only these models; without names, all.")]
RegistryOnly = Annotated[bool, Parameter(help="The registry: short names, aliases and prompt templates of yours.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportDocument:
    """What was written; counts of the registry are there when it was exported."""

    path: str
    models: tuple[str, ...]
    total_bytes: int
    entries: int
    aliases: int
    templates: int
    dry_run: bool


async def export(
    path: Place,
    names: Models = (),
    /,
    *,
    registry: RegistryOnly = False,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Write models, or the registry, to carry along.

    Models go into a folder with a `models.lock`; every byte is checked on its way. Read it back with `paddock import`
    or `paddock sync --from`.
    """
    place = desk.invocation.workspace / path
    if registry and names:
        raise UsageError("`--registry` exports no models.", hint="Export models in a call of their own.")
    async with desk.own_library() as library:
        if registry:
            with target(place, dry_run=flags.dry_run) as file:
                written = await library.handbook.export(file)
            document = _registry_document(place, written, dry_run=flags.dry_run)
        else:
            plan = await library.carrying.export(names, place, dry_run=flags.dry_run)
            document = ExportDocument(
                path=str(place),
                models=tuple(model.name for model in plan.lock.models),
                total_bytes=plan.total_bytes,
                entries=0,
                aliases=0,
                templates=0,
                dry_run=flags.dry_run,
            )
    desk.answer(document, lambda screen: screen.line(_exported(document, registry=registry)))


def _registry_document(place: Path, written: Registry, *, dry_run: bool) -> ExportDocument:
    return ExportDocument(
        path=str(place),
        models=(),
        total_bytes=0,
        entries=len(written.models),
        aliases=len(written.aliases),
        templates=len(written.templates),
        dry_run=dry_run,
    )


def _exported(document: ExportDocument, *, registry: bool) -> str:
    said = "would hold" if document.dry_run else "holds"
    if registry:
        parts = [
            several(document.entries, "short name"),
            several(document.aliases, "second name"),
            several(document.templates, "template"),
        ]
        return f"{document.path} {said} {', '.join(parts)}."
    return f"{document.path} {said} {several(len(document.models), 'model')}, {human_bytes(document.total_bytes)}."


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportConflict:
    kind: str
    name: str
    outcome: str
    new_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportDocument:
    """What came in. Names that were taken are in `conflicts`, with how that was settled."""

    path: str
    models: tuple[str, ...]
    entries: tuple[str, ...]
    aliases: tuple[str, ...]
    templates: tuple[str, ...]
    unchanged: int
    conflicts: tuple[ImportConflict, ...]
    dry_run: bool


async def import_(
    path: Annotated[Path, Parameter(help="A folder or registry file that `paddock export` wrote.")],
    names: Models = (),
    /,
    *,
    taken: Annotated[
        Literal["skip", "replace", "rename"],
        Parameter(help="What to do with a name of the registry that is taken.", show_default=True),
    ] = "skip",
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Take in what `paddock export` wrote.

    A folder holds models, a file is a registry. Every byte of a model is checked before the model appears.
    """
    place = desk.invocation.workspace / path
    async with desk.own_library() as library:
        if place.is_dir():
            models = await library.carrying.import_folder(place, names, dry_run=flags.dry_run)
            document = ImportDocument(
                path=str(place),
                models=tuple(models),
                entries=(),
                aliases=(),
                templates=(),
                unchanged=0,
                conflicts=(),
                dry_run=flags.dry_run,
            )
        else:
            plan = await library.handbook.import_from(place, Conflict(taken), dry_run=flags.dry_run)
            document = _import_document(place, plan, dry_run=flags.dry_run)
    desk.answer(document, lambda screen: _show_import(screen, document))


def _import_document(place: Path, plan: RegistryImport, *, dry_run: bool) -> ImportDocument:
    return ImportDocument(
        path=str(place),
        models=(),
        entries=tuple(entry.name for entry in plan.write.models),
        aliases=tuple(entry.alias for entry in plan.write.aliases),
        templates=tuple(entry.name for entry in plan.write.templates),
        unchanged=plan.unchanged,
        conflicts=tuple(
            ImportConflict(kind=one.kind, name=one.name, outcome=one.outcome.value, new_name=one.new_name)
            for one in plan.conflicts
        ),
        dry_run=dry_run,
    )


def _show_import(screen: Screen, document: ImportDocument) -> None:
    said = "would come in" if document.dry_run else "is here"
    for kind, names in (
        ("", document.models),
        ("model ", document.entries),
        ("alias ", document.aliases),
        ("template ", document.templates),
    ):
        for name in names:
            screen.line(f"{kind}{name} {said}.")
    for one in document.conflicts:
        how = {"skip": "stays as it is", "replace": "is replaced"}.get(one.outcome, f"comes in as {one.new_name}")
        screen.line(f"{one.kind} {one.name} was taken: {how}.")
    if document.unchanged:
        screen.line(f"{document.unchanged} were here already.")
