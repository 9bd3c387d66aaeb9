"""`paddock bench`."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.cli.screen import Screen
from paddock.cli.speaking import runner_spec
from paddock.cli.tables import Column, show_sheet, show_table
from paddock.cli.words import NOT_KNOWN
from paddock.fleet.measuring import Load, Measure, PrefixHit, Speed
from paddock.library.running import check_runs
from paddock.units import human_bytes

if TYPE_CHECKING:
    from paddock.fleet.fleet import Fleet, RunnerSpec

_NO_FLAGS = Flags()
_QUICK = Load(streams=(1, 2), prompt_tokens=32, answer_tokens=8)
_COLUMNS = (
    Column(title="at once", right=True),
    Column(title="prompt tokens/s", right=True),
    Column(title="answer tokens/s", right=True),
    Column(title="first token", right=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAnswer:
    """How long a short prompt waits for its first token, once the model is loaded."""

    cold_seconds: float  # the very first of the process
    warm_seconds: float  # in a process that was warmed up


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchMemory:
    """Bytes."""

    loaded_bytes: int  # the process, after loading
    peak_bytes: int | None  # the device's arrays, at the most
    bytes_per_token: int  # of KV cache


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchDocument:
    """One model's speed on this machine."""

    model: str
    device: str
    blas: str | None
    load_seconds: float
    first_answer: FirstAnswer
    speeds: tuple[Speed, ...]
    prefix: PrefixHit
    memory: BenchMemory


async def bench(
    model: Annotated[str, Parameter(help="Its name.")],
    /,
    *,
    quick: Annotated[bool, Parameter(help="A few small requests: to see that it works, not how fast it is.")] = False,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Measure how fast a model is on this machine.

    Loads the model in processes of its own and asks it for random prompts: 1, 4 and 16 at once. Leave the machine alone
    meanwhile.
    """
    from paddock.app import open_fleet

    spec = await _spec(desk, model)
    async with open_fleet(desk.config) as fleet:
        document = await _measure(fleet, spec, _QUICK if quick else Load())
    desk.answer(document, lambda screen: _show(screen, document))


async def _measure(fleet: "Fleet", spec: "RunnerSpec", load: Load) -> BenchDocument:
    runner = await fleet.start(spec)
    cold_seconds = await Measure(runner, load).first_answer_seconds()
    await runner.stop()

    began = time.perf_counter()
    runner = await fleet.start(spec)
    load_seconds = time.perf_counter() - began
    await runner.warm()
    measure = Measure(runner, load)
    warm_seconds = await measure.first_answer_seconds()
    speeds, prefix = await measure.speeds(), await measure.prefix_hit()
    memory = (await runner.stats()).memory
    loaded = runner.model
    return BenchDocument(
        model=spec.name,
        device=loaded.device,
        blas=loaded.blas,
        load_seconds=round(load_seconds, 3),
        first_answer=FirstAnswer(cold_seconds=round(cold_seconds, 4), warm_seconds=round(warm_seconds, 4)),
        speeds=speeds,
        prefix=prefix,
        memory=BenchMemory(
            loaded_bytes=loaded.memory_bytes,
            peak_bytes=memory.peak_bytes if memory else None,
            bytes_per_token=loaded.bytes_per_token,
        ),
    )


async def _spec(desk: Desk, name: str) -> "RunnerSpec":

    async with desk.library() as library:
        record = await library.get(name)
    check_runs(record)
    return runner_spec(record, None, desk.config, ngrams=False)


def _show(screen: Screen, document: BenchDocument) -> None:
    rows = [
        (
            str(speed.streams),
            f"{speed.prefill_tokens_per_second:,.0f}",
            NOT_KNOWN if speed.decode_tokens_per_second is None else f"{speed.decode_tokens_per_second:,.0f}",
            _seconds(speed.first_token_seconds),
        )
        for speed in document.speeds
    ]
    show_table(screen, _COLUMNS, rows)
    screen.line()
    prefix, memory, first = document.prefix, document.memory, document.first_answer
    peak = "" if memory.peak_bytes is None else f", arrays {human_bytes(memory.peak_bytes)} at the most"
    device = document.device if document.blas is None else f"{document.device}, products by {document.blas}"
    show_sheet(
        screen,
        [
            ("Device", device),
            ("Loaded in", _seconds(document.load_seconds)),
            ("First answer", f"{_seconds(first.cold_seconds)}, after a warm-up {_seconds(first.warm_seconds)}"),
            (
                "Known beginning",
                f"{prefix.cached_tokens} of {prefix.prompt_tokens} tokens from the cache: first token after "
                f"{_seconds(prefix.warm_first_token_seconds)} instead of {_seconds(prefix.cold_first_token_seconds)}",
            ),
            (
                "Memory",
                f"{human_bytes(memory.loaded_bytes)} loaded{peak}, {human_bytes(memory.bytes_per_token)} a token",
            ),
        ],
    )


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
