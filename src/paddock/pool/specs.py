"""From what the library knows of a model to what the fleet is asked for."""

from collections.abc import Awaitable, Callable

from paddock.config.schema import Config, model_options
from paddock.errors import Incompatible
from paddock.fleet.fleet import RunnerSpec
from paddock.library.details import ModelDetails
from paddock.library.records import ModelRecord

_UNKNOWN_EXTRA = 0.25  # of a model of which nobody can tell: its files, and so much of them again
_UNKNOWN_BYTES = 64 * 1024 * 1024


def specs(config: Config) -> Callable[[ModelRecord], RunnerSpec]:
    """How to run a model, as the settings say. Raises Incompatible for one that no runner opens."""

    def spec(record: ModelRecord) -> RunnerSpec:
        if not record.format.runs_here:
            raise Incompatible(
                f"`{record.name}` is a {record.format.framework} model, which does not run here.",
                hint="Find one that does with `paddock search`.",
            )
        return RunnerSpec(
            name=record.name,
            path=record.path,
            format=record.format,
            context_window=model_options(config, record.name).context_size,
        )

    return spec


def predictions(show: Callable[[str], Awaitable[ModelDetails]]) -> Callable[[ModelRecord], Awaitable[int]]:
    """What a model will take at the working context: measured or told by its files, else guessed from their size."""

    async def predict(record: ModelRecord) -> int:
        known = (await show(record.name)).working_memory_bytes
        return known if known is not None else int(record.size_bytes * (1 + _UNKNOWN_EXTRA)) + _UNKNOWN_BYTES

    return predict
