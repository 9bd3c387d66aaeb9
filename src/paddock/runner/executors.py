"""Which model is opened by whom. Nothing is imported before a model of that format and kind is to be opened."""

from importlib import import_module
from typing import Final

from paddock.errors import Incompatible
from paddock.runner.opening import LoadOptions
from paddock.runner.worker import Opened, OpenModel
from paddock.vocabulary import ModelFormat, ModelKind

_TEXT: Final = ("paddock.runner.mlx.opening", "open_model")
_GGUF: Final = ("paddock.runner.llamacpp.opening", "open_model")
_PLACES: Final = {
    (ModelFormat.MLX, ModelKind.TEXT): _TEXT,
    (ModelFormat.MLX, ModelKind.VISION): _TEXT,
    (ModelFormat.MLX, ModelKind.EMBEDDINGS): ("paddock.runner.embedding.opening", "open_mlx"),
    (ModelFormat.GGUF, ModelKind.TEXT): _GGUF,
    (ModelFormat.GGUF, ModelKind.VISION): _GGUF,
    (ModelFormat.ONNX, ModelKind.EMBEDDINGS): ("paddock.runner.embedding.opening", "open_onnx"),
    (ModelFormat.GGUF, ModelKind.EMBEDDINGS): ("paddock.runner.llamacpp.embedding", "open_model"),
}


def open_model(options: LoadOptions) -> Opened:
    """Open a model of any format and kind that runs here. Raises Incompatible for the others."""
    place = _PLACES.get((options.format, options.kind))
    if place is None:
        raise Incompatible(
            f"`{options.name}` is a model of {options.format.framework} for {options.kind}; no runner for these is "
            f"installed.",
            hint="Take the same model in MLX format.",
        )
    module, function = place
    opener: OpenModel = getattr(import_module(module), function)
    return opener(options)
