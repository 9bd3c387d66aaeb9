"""`paddock show` and `paddock compare`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from paddock.catalog.compare import Cell as ComparedCell
from paddock.catalog.compare import Comparison, Row
from paddock.cli.commands.models import Names
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.cli.screen import Screen
from paddock.cli.tables import Cell, Column, show_sheet, show_table
from paddock.cli.words import (
    MEASURED,
    NOT_KNOWN,
    ago,
    capabilities,
    compatibility,
    memory_steps,
    modified,
    origin,
    parameters,
    several,
    tokens,
    verdict_style,
)
from paddock.errors import UsageError
from paddock.library.details import ModelDetails
from paddock.library.pulling.plan import MemoryAt
from paddock.library.records import KeptFile
from paddock.library.trials.results import TrialResult
from paddock.units import human_bytes
from paddock.vocabulary import Compatibility, ModelInfo, ModelStatus, Origin

_NO_FLAGS = Flags()
_FILES_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowDocument:
    """One model. `facts_from` says which evidence decided each fact."""

    model: ModelInfo
    reference: str
    compatibility: Compatibility
    memory: tuple[MemoryAt, ...]
    working_context: int
    memory_basis: str | None
    facts_from: Mapping[str, str]
    files: tuple[KeptFile, ...]
    notes: tuple[str, ...]
    added_at: datetime | None
    verified_at: datetime | None
    trial: TrialResult | None


async def show(
    name: Annotated[str, Parameter(help="A model here, or a reference to one at its hub.")],
    /,
    *,
    source: Annotated[bool, Parameter(help="Also say where each fact comes from.")] = False,
    files: Annotated[bool, Parameter(help="List every file with its hash.")] = False,
    refresh: Annotated[bool, Parameter(help="Look, and ask, again.")] = False,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Show everything that is known about a model.

    Also of models that are not here, if their hub knows them.
    """
    async with desk.library() as library:
        if refresh:
            library.clear_cache()
        details = await library.show(name)
    now = desk.invocation.now()
    desk.answer(_document(details), lambda screen: _show(screen, details, now, sources=source, all_files=files))


def _document(details: ModelDetails) -> ShowDocument:
    return ShowDocument(
        model=details.info,
        reference=details.reference,
        compatibility=details.compatibility,
        memory=details.memory,
        working_context=details.working_context,
        memory_basis=details.memory_basis,
        facts_from=details.facts_from,
        files=details.files,
        notes=details.notes,
        added_at=details.added_at,
        verified_at=details.verified_at,
        trial=details.trial,
    )


_STATUS = {
    ModelStatus.AVAILABLE: "",
    ModelStatus.DOWNLOADING: "on its way: see `paddock pulls`",
    ModelStatus.NOT_FOUND: "not here: fetch it with `paddock pull`",
}


def _show(screen: Screen, details: ModelDetails, now: datetime, *, sources: bool, all_files: bool) -> None:
    model = details.info
    screen.line(Text(model.name, style="bold"))
    if _STATUS[model.status]:
        screen.sentence(_STATUS[model.status])
    screen.line()
    facts = _facts(details) + _place(details, now)
    show_sheet(screen, [(label, _with_origin(value, field, details, sources)) for label, value, field in facts])
    for note in details.notes:
        screen.sentence(f"note: {note}", style="yellow" if screen.colour else "")
    screen.line()
    _show_files(screen, details.files, all_files=all_files)
    if model.origin is Origin.BUILTIN:
        screen.line()
        screen.sentence("A built-in model is for trying Paddock: it is small and knows little.")


Fact = tuple[str, Cell, str]
"""Label, value, and the fact's name where its origin is known."""


def _facts(details: ModelDetails) -> list[Fact]:
    model, verdict = details.info, details.compatibility
    return [
        ("Family", model.family, "family"),
        ("Architecture", model.architecture or NOT_KNOWN, "architecture"),
        ("Format", f"{model.format.value} ({model.framework})", "format"),
        ("Parameters", parameters(model.parameters), "parameters"),
        ("Quantization", model.quantization or NOT_KNOWN, "quantization"),
        ("Context", f"{tokens(model.context_window)} tokens", "context_window"),
        ("Longest answer", f"{tokens(model.max_output_tokens)} tokens", "max_output_tokens"),
        ("Can", capabilities(model.capabilities), "capabilities"),
        *_memory(details),
        ("Runs here", Text(compatibility(verdict), style=verdict_style(verdict)), ""),
    ]


def _memory(details: ModelDetails) -> list[Fact]:
    lines: list[Fact] = [
        ("" if position else "Memory", Text(text, style="" if fits else "yellow"), "")
        for position, (text, fits) in enumerate(memory_steps(details.memory, details.working_context))
    ]
    if details.memory_basis == "measured":
        lines.append(("", MEASURED, ""))
    return lines or [("Memory", NOT_KNOWN, "")]


def _place(details: ModelDetails, now: datetime) -> list[Fact]:
    model = details.info
    facts: list[Fact] = [
        ("Licence", model.license or NOT_KNOWN, ""),
        ("Size", human_bytes(model.size), ""),
        ("Origin", origin(model) if model.status is ModelStatus.AVAILABLE else model.source.value, ""),
        ("Reference", details.reference, ""),
        ("Revision", model.revision or NOT_KNOWN, ""),
        ("Modified", modified(model, now), ""),
    ]
    if model.path:
        facts.append(("Path", model.path, ""))
    if model.aliases:
        facts.append(("Also called", ", ".join(model.aliases), ""))
    if details.verified_at:
        facts.append(("Verified", ago(details.verified_at, now), ""))
    if details.trial:
        facts.append(("Tried", _tried(details.trial, now), ""))
    if model.pinned:
        facts.append(("Pinned", "yes", ""))
    if model.keep_alive:
        facts.append(("Keep-alive", model.keep_alive, ""))
    if model.stale:
        facts.append(("Stale", "the hub did not answer; this is what it said earlier", ""))
    return facts


def _tried(trial: TrialResult, now: datetime) -> str:
    when = ago(trial.tried_at, now)
    if not trial.passed:
        return f"{when}: {' '.join(trial.remarks)}"
    speed = "" if trial.tokens_per_second is None else f", {trial.tokens_per_second:,.0f} tokens/s"
    can = ", ".join(ability for ability, shown in trial.can.items() if shown) or "none of what was tried"
    return f"{when}{speed}; showed {can}"


def _with_origin(value: Cell, field: str, details: ModelDetails, sources: bool) -> Cell:
    if not sources or not field:
        return value
    told = details.facts_from
    if field == "capabilities":
        origins = {told[key] for key in told if key.startswith("capabilities.") or key in _CAPABILITIES}
        return Text.assemble(value, (f"  ({', '.join(sorted(origins)) or 'default'})", "dim"))
    return Text.assemble(value, (f"  ({told.get(field, 'default')})", "dim"))


_CAPABILITIES = ("text", "vision", "embeddings", "tools", "streaming", "thinking")


def _show_files(screen: Screen, files: tuple[KeptFile, ...], *, all_files: bool) -> None:
    shown = files if all_files else files[:_FILES_SHOWN]
    columns = [Column(title="file"), Column(title="size", right=True)]
    rows: list[list[Cell]] = [[file.path, human_bytes(file.size)] for file in shown]
    if all_files:
        columns.append(Column(title="hash"))
        rows = [[*row, _hash(file)] for row, file in zip(rows, shown, strict=True)]
    show_table(screen, columns, rows)
    if len(files) > len(shown):
        screen.line(Text(f"and {several(len(files) - len(shown), 'file')} more: --files lists all", style="dim"))


def _hash(file: KeptFile) -> str:
    if file.sha256:
        return f"sha256 {file.sha256}"
    return f"git {file.git_oid}" if file.git_oid else NOT_KNOWN


async def compare(names: Names, /, *, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """Show models side by side.

    Models here and models at their hubs alike. `*` marks what is best, where better is beyond taste.
    """
    if len(names) < 2:
        raise UsageError("There is nothing to compare with.", hint="Name two models or more.")
    async with desk.library() as library:
        comparison = await library.compare(names)
    desk.answer(comparison, lambda screen: _show_comparison(screen, comparison))


def _show_comparison(screen: Screen, comparison: Comparison) -> None:
    """One column a model; the rows in which they differ stand out."""
    columns = [Column(title=""), *(Column(title=name, verbatim=True) for name in comparison.models)]
    rows: list[list[Cell]] = []
    for row in comparison.rows:
        values = [_compared(row, name, value) for name, value in zip(comparison.models, row.values, strict=True)]
        rows.append([Text(row.field.replace("_", " "), style="" if row.differs else "dim"), *values])
    show_table(screen, columns, rows)


def _compared(row: Row, name: str, value: ComparedCell) -> Text:
    best = name in row.best
    text = Text(_value(row.field, value), style="green" if best else "" if row.differs else "dim")
    return text.append(" *") if best else text


def _value(field: str, value: ComparedCell) -> str:
    match value:
        case None:
            return NOT_KNOWN
        case bool():
            return "yes" if value else "no"
        case int() if field in ("size", "memory"):
            return human_bytes(value)
        case int() if field == "parameters":
            return parameters(value)
        case int():
            return tokens(value)
        case str():
            return value[:12] if field == "revision" else value
