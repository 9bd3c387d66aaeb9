"""Which models run here, and who runs the others."""

from typing import TYPE_CHECKING

from paddock.errors import Incompatible
from paddock.vocabulary import ModelFormat

if TYPE_CHECKING:
    from paddock.config.schema import Options
    from paddock.library.records import ModelRecord


def check_runs(record: "ModelRecord") -> None:
    """Raises Incompatible for a model in a format that is kept and listed here, and run by another program."""
    if record.format.runs(embeds=record.facts.capabilities.embeddings):
        return
    framework = record.format.framework
    raise Incompatible(
        f"`{record.name}` does not run here: it is a model for {framework}."
        if framework != "unknown"
        else f"`{record.name}` does not run here: nobody can tell what its format is.",
        hint=f"Open {record.path} with a program that uses {framework}, or find a model for here with `paddock search`."
        if framework != "unknown"
        else "Find a model that does with `paddock search`.",
    )


def engine_options(record: "ModelRecord", options: "Options") -> dict[str, int]:
    """What the settings tell the library that runs a model, by its own names; what they leave open it decides."""
    if record.format is not ModelFormat.GGUF:
        return {}
    told = {"threads": options.threads, "n_gpu_layers": options.gpu_layers}
    return {name: value for name, value in told.items() if value is not None}
