"""`paddock df` and `paddock prune`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from paddock.cli.desk import Desk, Given
from paddock.cli.flags import ChangingFlags, Flags
from paddock.cli.screen import Screen
from paddock.cli.tables import Cell, Column, show_table
from paddock.cli.words import several
from paddock.errors import PaddockError, UsageError
from paddock.library.prune import Kept, Leftover, ModelUsage, PrunePlan, Removal, UsageReport
from paddock.units import human_bytes

_NO_FLAGS = Flags()
_NO_CHANGE = ChangingFlags()


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageDocument:
    """The disk. Bytes that models share are counted once in the totals."""

    models: tuple[ModelUsage, ...]
    frameworks: Mapping[str, int]
    total_bytes: int
    shared_bytes: int
    saved_bytes: int
    partial_bytes: int  # of downloads that are not complete
    free_bytes: int
    path: str


async def usage(*, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """Show what models take on the disk."""
    from paddock.store.space import free_space

    async with desk.library() as library:
        report = await library.cleaning.usage()
        jobs = await library.pulls.list(unfinished=True)
    read_free = desk.invocation.world.free_space if desk.invocation.world else free_space
    path = desk.config.paths.data
    document = _usage_document(report, sum(job.downloaded_bytes for job in jobs), read_free(path), path)
    desk.answer(document, lambda screen: _show_usage(screen, document))


def _usage_document(report: UsageReport, partial_bytes: int, free_bytes: int, path: Path) -> UsageDocument:
    return UsageDocument(
        models=report.models,
        frameworks=report.frameworks,
        total_bytes=report.total_bytes,
        shared_bytes=report.shared_bytes,
        saved_bytes=report.saved_bytes,
        partial_bytes=partial_bytes,
        free_bytes=free_bytes,
        path=str(path),
    )


def _show_usage(screen: Screen, document: UsageDocument) -> None:
    rows: list[list[Cell]] = [
        [
            model.name,
            model.framework,
            human_bytes(model.own_bytes),
            human_bytes(model.shared_bytes) if model.shared_bytes else "",
            ", ".join(model.shared_with),
        ]
        for model in document.models
    ]
    columns = [Column(title="model"), Column(title="framework", rank=2), Column(title="own", right=True)]
    if document.shared_bytes:
        columns += [Column(title="shared", right=True), Column(title="shared with", rank=1, wrap=True)]
    show_table(screen, columns, [row[: len(columns)] for row in rows])
    screen.line()
    frameworks: list[list[Cell]] = [[name, human_bytes(size)] for name, size in document.frameworks.items()]
    totals: list[list[Cell]] = [["All models", human_bytes(document.total_bytes)]]
    if document.saved_bytes:
        totals.append(["Spared by sharing", human_bytes(document.saved_bytes)])
    if document.partial_bytes:
        totals.append(["Unfinished downloads", human_bytes(document.partial_bytes)])
    totals.append(["Free on the disk", human_bytes(document.free_bytes)])
    show_table(screen, [Column(title="framework"), Column(title="size", right=True)], [*frameworks, *totals])


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneDocument:
    """What went, or with `--dry-run` what would go."""

    removals: tuple[Removal, ...]
    leftovers: tuple[Leftover, ...]
    kept: tuple[Kept, ...]
    used_bytes: int
    missing_bytes: int
    freed_bytes: int
    failures: tuple[str, ...]
    dry_run: bool


async def prune(
    *,
    older_than: Annotated[str | None, Parameter(help="Models that were not used for so long, like `30d`.")] = None,
    keep_below: Annotated[
        str | None, Parameter(help="The least recently used, until models take less than this, like `50GB`.")
    ] = None,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Clean up what is not used, once you have seen it.

    Without options only leftovers of broken downloads go. Models that are pinned, in use, built in, or that belong to
    another tool always stay.
    """
    days, most = _days(older_than), _bytes(keep_below)
    async with desk.library() as library:
        plan = await library.cleaning.plan(older_than_days=days, max_bytes=most)
        if plan.is_empty or flags.dry_run:
            _tell(desk, plan, plan.freed_bytes, (), done=False)
            return
        if not desk.flags.json:
            _show_plan(desk.err, plan)
        if not await desk.confirm(f"Free {human_bytes(plan.freed_bytes)}?"):
            desk.notice("Nothing was removed.")
            return

        async def remove(name: str) -> int:
            return (await library.remove(name)).freed_bytes

        done = await library.cleaning.prune(plan, remove)
    _tell(desk, plan, done.freed_bytes, done.failures, done=True)
    if done.failures:
        desk.fail(PaddockError.exit_code)


def _tell(desk: Desk, plan: PrunePlan, freed_bytes: int, failures: tuple[str, ...], *, done: bool) -> None:
    document = PruneDocument(
        removals=plan.removals,
        leftovers=plan.leftovers,
        kept=plan.kept,
        used_bytes=plan.used_bytes,
        missing_bytes=plan.missing_bytes,
        freed_bytes=freed_bytes,
        failures=failures,
        dry_run=not done,
    )

    def text(screen: Screen) -> None:
        if plan.is_empty:
            screen.line("There is nothing to clean up.")
        elif not done:
            _show_plan(screen, plan)
            screen.line(f"Would free {human_bytes(freed_bytes)}.")
        else:
            screen.line(f"Freed {human_bytes(freed_bytes)}.")
        for failure in failures:
            screen.sentence(f"failed: {failure}")

    desk.answer(document, text)


def _show_plan(screen: Screen, plan: PrunePlan) -> None:
    rows: list[list[Cell]] = [[one.name, human_bytes(one.freed_bytes), one.reason] for one in plan.removals]
    if plan.leftovers:
        size = sum(left.size for left in plan.leftovers)
        rows.append([several(len(plan.leftovers), "leftover"), human_bytes(size), "of downloads that ended early"])
    show_table(screen, [Column(title="goes"), Column(title="frees", right=True), Column(title="why", wrap=True)], rows)
    for kept in plan.kept:
        screen.line(Text(f"{kept.name} stays: {kept.reason}", style="dim"))
    if plan.missing_bytes:
        screen.sentence(f"{human_bytes(plan.missing_bytes)} more than asked for stays, because the rest may not go.")


def _days(text: str | None) -> float | None:
    if text is None:
        return None
    from paddock.config.units import parse_duration

    try:
        # A bare number is days: nobody cleans up by the second.
        duration = parse_duration(f"{text}d" if text.strip().isdecimal() else text)
    except ValueError as error:
        raise UsageError(f"`--older-than {text}` is no span of time.", hint="Write it like `30d` or `12h`.") from error
    return duration.total_seconds() / 86_400


def _bytes(text: str | None) -> int | None:
    if text is None:
        return None
    from paddock.config.units import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise UsageError(f"`--keep-below {text}` is no size.", hint="Write it like `50GB`.") from error
