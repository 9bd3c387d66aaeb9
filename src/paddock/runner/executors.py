"""Which format is opened by whom. Nothing is imported before a model of that format is to be opened."""

from importlib import import_module
from typing import Final

from paddock.errors import Incompatible
from paddock.runner.opening import LoadOptions, OpenedModel, OpenModel
from paddock.vocabulary import ModelFormat

_PLACES: Final = {ModelFormat.MLX: ("paddock.runner.mlx.opening", "open_model")}


def open_model(options: LoadOptions) -> OpenedModel:
    """Open a model of any format that runs here. Raises Incompatible for the others."""
    place = _PLACES.get(options.format)
    if place is None:
        raise Incompatible(
            f"`{options.name}` is a {options.format.framework} model; no runner for these is installed.",
            hint="Take the same model in MLX format.",
        )
    module, function = place
    opener: OpenModel = getattr(import_module(module), function)
    return opener(options)
