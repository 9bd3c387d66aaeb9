"""`paddock pull`."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from paddock.cli.commands.plan import Reference, plan_in_short, tell_plan
from paddock.cli.commands.trial import try_here
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import ChangingFlags
from paddock.cli.progress import ProgressDisplay, progress_display
from paddock.library.pulling.plan import Plan, PullOptions
from paddock.units import human_bytes
from paddock.vocabulary import ModelInfo, Origin, ProgressEvent

_NO_FLAGS = ChangingFlags()


async def pull(
    reference: Reference,
    /,
    *,
    name: Annotated[str | None, Parameter(help="What to call the model here.")] = None,
    pin: Annotated[bool, Parameter(help="Keep the model from clean-up.")] = False,
    skip_check: Annotated[bool, Parameter(help="Fetch it even if it will not run here.")] = False,
    force: Annotated[bool, Parameter(help="Fetch it even if memory or disk are tight.")] = False,
    flags: ChangingFlags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Fetch a model, or go on where it stopped.

    Every file is checked against its hash before it gets its name. Ctrl-C pauses; the same command goes on, also after
    a crash. `--dry-run` is `paddock plan`.
    """
    options = PullOptions(skip_check=skip_check, force=force, name=name, pin=pin)
    async with desk.library() as library:
        if flags.dry_run:
            tell_plan(desk, await library.plan(reference, options), options)
            return
        watch = _Watch(desk, reference)
        try:
            with watch:
                model = await library.pull(reference, options, on_progress=watch.show, confirm=watch.agree)
        except asyncio.CancelledError:
            watch.say_paused()
            raise
    if desk.server is None and desk.config.library.trial and model.format.runs_here:
        result = await try_here(desk, model.name)
        desk.notice(f"Tried {model.name}: {'it works' if result.passed else ' '.join(result.remarks)}")
    desk.answer(model, lambda screen: screen.line(_done(model)))


class _Watch:
    """What is seen of a pull: nothing until it moves, then its progress."""

    def __init__(self, desk: Desk, reference: str) -> None:
        self._desk = desk
        self._reference = reference
        self._display: ProgressDisplay | None = None

    def __enter__(self) -> "_Watch":
        return self

    def __exit__(self, *_: object) -> None:
        if self._display is not None:
            self._display.__exit__(None, None, None)

    def show(self, event: ProgressEvent) -> None:
        if self._display is None:
            self._display = progress_display(self._desk, self._reference).__enter__()
        self._display.show(event)

    async def agree(self, plan: Plan) -> bool:
        """Asked when the disk is tight."""
        self._desk.notice(plan_in_short(plan))
        return await self._desk.confirm(f"{plan.disk.sentence(plan.name)} Go on all the same?")

    def say_paused(self) -> None:
        if self._display is not None:
            self._desk.notice(f"Paused. Resume with: paddock pull {self._reference}")


def _done(model: ModelInfo) -> str:
    """One line: what is here now, and how to look at it."""
    if model.origin is Origin.BUILTIN:
        return f"{model.name} is built in: nothing to fetch. See it with: paddock show {model.name}"
    where = f" in {model.path}" if model.path else ""
    return f"{model.name}: {human_bytes(model.size)}{where}. See it with: paddock show {model.name}"
