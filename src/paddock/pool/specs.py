"""From what the library knows of a model to what the fleet is asked for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from paddock.config.schema import Config, model_options
from paddock.fleet.fleet import RunnerSpec
from paddock.library.library import Library
from paddock.library.records import ModelRecord
from paddock.library.running import check_runs, engine_options
from paddock.vocabulary import ModelKind

_UNKNOWN_EXTRA = 0.25  # of a model of which nobody can tell: its files, and so much of them again
_UNKNOWN_BYTES = 64 * 1024 * 1024


def specs(config: Callable[[], Config]) -> Callable[[ModelRecord], RunnerSpec]:
    """How to run a model, as the settings say that hold then. Raises Incompatible for one that no runner opens."""

    def spec(record: ModelRecord) -> RunnerSpec:
        check_runs(record)
        options = model_options(config(), record.name)
        return RunnerSpec(
            name=record.name,
            path=record.path,
            format=record.format,
            kind=ModelKind(record.facts.model_type),
            projector_path=record.projector_path,
            context_window=options.context_size,
            options=engine_options(record, options),
        )

    return spec


@dataclass(frozen=True, slots=True)
class Need:
    """What a model will take."""

    room_bytes: int  # of the machine, everything together
    runner_bytes_max: int  # the limit with which its runner keeps to that


def predictions(library: Library, config: Callable[[], Config]) -> Callable[[ModelRecord], Awaitable[Need]]:
    """What a model will take with one conversation that fills the context that the settings plan for.

    Told by its files and corrected by what earlier loads took; else guessed from their size.
    """

    async def predict(record: ModelRecord) -> Need:
        known = await library.memory_need(record, context_window=model_options(config(), record.name).context_size)
        if known is not None:
            return Need(known.bytes, known.runner_bytes_max)
        guess = int(record.size_bytes * (1 + _UNKNOWN_EXTRA)) + _UNKNOWN_BYTES
        return Need(guess, guess)

    return predict
