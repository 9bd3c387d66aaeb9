"""`paddock plan`: what a pull would take, and how a plan is told in words."""

from dataclasses import dataclass, fields
from typing import Annotated, Self

from cyclopts import Parameter
from rich.text import Text

from paddock.cli.desk import Desk, Given
from paddock.cli.failure import ErrorBody, error_body
from paddock.cli.flags import Flags
from paddock.cli.screen import Screen
from paddock.cli.tables import Cell, show_sheet
from paddock.cli.words import (
    MEASURED,
    NOT_KNOWN,
    capabilities,
    compatibility,
    memory_steps,
    parameters,
    several,
    verdict_style,
)
from paddock.errors import PaddockError
from paddock.library.pulling.plan import Plan, PullOptions
from paddock.store.space import DiskOutcome
from paddock.units import human_bytes
from paddock.vocabulary import SourceKind

_NO_FLAGS = Flags()

Reference = Annotated[str, Parameter(help="What to fetch: `org/name`, `org/name:Q4_K_M`, `ollama://name:tag`, a URL…")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDocument(Plan):
    """A plan, and why it must not be carried out, if so."""

    refused: ErrorBody | None

    @classmethod
    def of(cls, plan: Plan, refusal: PaddockError | None) -> Self:
        told = {field.name: getattr(plan, field.name) for field in fields(plan)}
        return cls(**told, refused=error_body(refusal) if refusal else None)


async def plan(
    reference: Reference,
    /,
    *,
    name: Annotated[str | None, Parameter(help="What to call the model here.")] = None,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """See what pulling a model would take.

    Nothing is fetched but descriptions and the headers of weight files. Ends with 3 when the model is incompatible,
    does not fit into memory at its working context, or the disk has no room for it.
    """
    options = PullOptions(name=name)
    async with desk.library() as library:
        tell_plan(desk, await library.plan(reference, options), options)


def tell_plan(desk: Desk, plan: Plan, options: PullOptions) -> None:
    """The plan as this command's answer."""
    refusal = plan.refusal(options)
    desk.answer(PlanDocument.of(plan, refusal), lambda screen: show_plan(screen, plan, refusal))
    if refusal is not None:
        desk.fail(refusal.exit_code)


def show_plan(screen: Screen, plan: Plan, refusal: PaddockError | None) -> None:
    """Everything, one fact a line; the verdict last."""
    screen.line(Text(plan.name, style="bold"))
    screen.line()
    show_sheet(screen, [*_model_facts(plan), *_fetch_facts(plan), *_memory_facts(plan), *_terms(plan)])
    screen.line()
    for warning in plan.warnings:
        screen.sentence(f"note: {warning}", style="yellow" if screen.colour else "")
    if refusal is None:
        screen.sentence(_all_is_well(plan), style="green" if screen.colour else "")
    else:
        screen.sentence(f"No: {refusal.message}", style="red" if screen.colour else "")
        screen.sentence(f"hint: {refusal.hint}")


def plan_in_short(plan: Plan) -> str:
    """One sentence, before a pull."""
    fetch = f"{human_bytes(plan.fetch_bytes)} to fetch"
    here = f", {human_bytes(plan.here_bytes)} here already" if plan.here_bytes else ""
    return f"`{plan.name}`: {several(len(plan.files), 'file')}, {fetch}{here}."


def _model_facts(plan: Plan) -> list[tuple[str, Cell]]:
    facts = plan.facts
    parts = [facts.family, parameters(facts.parameters), facts.quantization or "", facts.architecture or ""]
    return [
        ("Model", ", ".join(part for part in parts if part not in ("", NOT_KNOWN, "unknown")) or NOT_KNOWN),
        ("Format", f"{plan.format.value} ({plan.framework})"),
        ("Can", capabilities(facts.capabilities)),
        ("Source", f"{plan.source.value}, revision {plan.revision[:12]}"),
    ]


def _fetch_facts(plan: Plan) -> list[tuple[str, Cell]]:
    if plan.source in (SourceKind.BUILTIN, SourceKind.LOCAL):
        return [("Size", human_bytes(plan.total_bytes)), ("To fetch", "nothing: it is used where it is")]
    here = sum(1 for file in plan.files if file.here)
    files = several(len(plan.files), "file")
    disk = plan.disk
    style = {DiskOutcome.FITS: "", DiskOutcome.TIGHT: "yellow", DiskOutcome.REFUSED: "red"}[disk.outcome]
    reserved = f" ({human_bytes(disk.reserved_bytes)} of it for other pulls)" if disk.reserved_bytes else ""
    size = human_bytes(plan.total_bytes) if plan.size_known else f"at least {human_bytes(plan.total_bytes)}"
    return [
        ("Files", f"{files}, {here} here already" if here else files),
        ("Size", size),
        ("To fetch", f"{human_bytes(plan.fetch_bytes)}, {human_bytes(plan.here_bytes)} here already"),
        ("Disk", Text(f"{human_bytes(disk.free_bytes)} free{reserved}", style=style)),
        ("", f"{human_bytes(disk.floor_bytes)} needed, {human_bytes(disk.comfortable_bytes)} recommended"),
        ("Goes to", plan.disk_path),
    ]


def _memory_facts(plan: Plan) -> list[tuple[str, Cell]]:
    budget = f"{human_bytes(plan.memory_budget_bytes)} for models on this {plan.device.upper()}"
    if not plan.memory:
        return [("Memory", f"nobody can tell; {budget}")]
    lines: list[tuple[str, Cell]] = [
        ("" if position else "Memory", Text(text, style="" if fits else "yellow"))
        for position, (text, fits) in enumerate(memory_steps(plan.memory, plan.working_context))
    ]
    if plan.memory_basis == "measured":
        lines.append(("", MEASURED))
    return [*lines, ("", budget)]


def _terms(plan: Plan) -> list[tuple[str, Cell]]:
    verdict = plan.compatibility
    return [
        ("Licence", plan.license or "not told"),
        ("Gated", "yes: accept its terms on its page first" if plan.gated else "no"),
        ("Runs here", Text(compatibility(verdict), style=verdict_style(verdict))),
    ]


def _all_is_well(plan: Plan) -> str:
    if not plan.fetch_bytes or plan.source is SourceKind.BUILTIN:
        return "Everything is here already."
    return f"Fetch it with `paddock pull {plan.reference}`."
