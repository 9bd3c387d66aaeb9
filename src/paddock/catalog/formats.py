"""How a model's weights are stored, by the names of its files."""

from collections.abc import Sequence

from paddock.catalog.evidence.hub import HubFacts, format_of_library
from paddock.vocabulary import ModelFormat

_TFLITE = (".tflite", ".task", ".litertlm")
_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


def format_of_files(files: Sequence[str], hub: HubFacts | None = None) -> ModelFormat | None:
    """The format that the file names show; None when they show none.

    Where several are side by side, the one that runs here wins: safetensors, then GGUF.
    """
    names = [path.lower() for path in files]
    bare = {name.rsplit("/", 1)[-1] for name in names}
    if any(name.endswith(".safetensors") for name in names) and "config.json" in bare:
        return ModelFormat.MLX
    if any(name.endswith(".gguf") for name in names):
        return ModelFormat.GGUF
    if any(".mlpackage" in name or name.endswith((".mlmodel", ".mlmodelc")) or ".mlmodelc/" in name for name in names):
        return _core_ml(bare, names, hub)
    if any(name.endswith((".onnx", ".ort")) for name in names):
        return ModelFormat.ONNX
    if any(name.endswith(_TFLITE) for name in names):
        return ModelFormat.TFLITE
    if any(name.endswith(".safetensors") for name in names):
        return ModelFormat.MLX
    return None


def _core_ml(bare: set[str], names: Sequence[str], hub: HubFacts | None) -> ModelFormat:
    """A Core ML package that is a language model is what Swift Transformers loads."""
    told = format_of_library(hub.library_name, hub.tags) if hub else None
    language = hub is not None and (hub.pipeline_tag == "text-generation" or "text-generation" in hub.tags)
    packaged = any(".mlpackage" in name for name in names)
    if told is ModelFormat.SWIFT_TRANSFORMERS or (packaged and (language or not bare.isdisjoint(_TOKENIZERS))):
        return ModelFormat.SWIFT_TRANSFORMERS
    return ModelFormat.COREML


def is_pickle(path: str) -> bool:
    """True for weights that run code when they are loaded. `training_args.bin` and the like are not weights."""
    name = path.rsplit("/", 1)[-1].lower()
    return name.endswith(PICKLES) and not name.startswith(("training_args", "optimizer", "scheduler", "rng_state"))
