"""`paddock trial`."""

from typing import TYPE_CHECKING

from paddock.cli.commands.models import Name
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.cli.screen import Screen
from paddock.cli.speaking import runner_spec
from paddock.cli.tables import show_sheet
from paddock.cli.words import NOT_KNOWN
from paddock.errors import Corrupt, Incompatible, RunnerCrashed
from paddock.library.running import check_runs
from paddock.library.trials.results import TrialResult
from paddock.units import human_bytes

if TYPE_CHECKING:
    from paddock.library.records import ModelRecord

_NO_FLAGS = Flags()
_FAILED = 1


async def trial(
    name: Name,
    /,
    *,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Find out what a model really can.

    It is loaded, timed and asked a few questions. Tools, JSON, thinking and pictures are tried with questions whose answers
    can be judged. What comes out is remembered for these files of the model; `paddock show` tells it, and routing goes by
    it. Ends with 1 when the model does not load, or what it says cannot be right.
    """
    result = await try_here(desk, name) if desk.server is None else await _try_there(desk, name)
    desk.answer(result, lambda screen: show_trial(screen, result))
    if not result.passed:
        desk.fail(_FAILED)


async def _try_there(desk: Desk, name: str) -> TrialResult:
    async with desk.pool() as pool:
        return await pool.trial(name)


async def try_here(desk: Desk, name: str) -> TrialResult:
    """Load the model in a process of its own, for the trial only."""
    async with desk.own_library() as library:
        result = await _tried(desk, await library.get(name))
        await library.remember_trial(result)
        return result


async def _tried(desk: Desk, record: "ModelRecord") -> TrialResult:
    from paddock.app import open_fleet
    from paddock.library.trials.trial import did_not_load, try_model

    check_runs(record)
    now = desk.invocation.now
    async with open_fleet(desk.config) as fleet:
        try:
            runner = await fleet.start(runner_spec(record, None, desk.config, ngrams=False))
            return await try_model(record, runner, now=now)
        except (Corrupt, Incompatible, RunnerCrashed) as error:
            return did_not_load(record, error, now=now)


def show_trial(screen: Screen, result: TrialResult) -> None:
    """A sheet: what was measured, what it can, and why not."""
    rows = [("Model", result.model), ("Loads", "yes" if result.loads else "no")]
    if result.loads:
        rows += [
            ("Loaded in", _seconds(result.load_seconds)),
            ("Memory", NOT_KNOWN if result.memory_bytes is None else human_bytes(result.memory_bytes)),
            ("First token", _seconds(result.first_token_seconds)),
            ("Speed", NOT_KNOWN if result.tokens_per_second is None else f"{result.tokens_per_second:,.0f} tokens/s"),
            ("Sane", "yes" if result.sane else "no"),
        ]
        rows += [(ability.capitalize(), "yes" if can else "no") for ability, can in result.can.items()]
    show_sheet(screen, rows)
    for remark in result.remarks:
        screen.sentence(remark)


def _seconds(value: float | None) -> str:
    if value is None:
        return NOT_KNOWN
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
