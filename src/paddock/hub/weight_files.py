"""Which files make a model in safetensors, ONNX, Core ML or TensorFlow Lite, and which are copies of the same weights."""

import re
from collections.abc import Iterable, Sequence

from paddock.hub.source import RemoteFile

_SMALL = (".json", ".txt", ".model", ".tiktoken", ".jinja")
_SMALL_NAMES = re.compile(r"readme\.md|licen[cs]e.*|notice.*|tokenizer\.model\.v\d+", re.IGNORECASE)
_PICKLE_INDEXES = (".bin.index.json", ".msgpack.index.json", ".h5.index.json", ".pt.index.json")
# Folders in which the same weights lie once more, in another format or precision or from an earlier hour of training.
_COPIES = re.compile(
    r"original|onnx|openvino|gguf|fp16|flax|tf|metal|coreml|mlc|tflite|ggml|checkpoint-\d+|global_step\d+",
    re.IGNORECASE,
)
_HALF_COPY = re.compile(r"[._-](?:fp16|bf16|non_ema|ema)(?:[.-]|$)", re.IGNORECASE)
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_CORE_ML_PACKAGES = (".mlpackage", ".mlmodelc")
_ONNX = (".onnx", ".ort")
_ONNX_VARIANT = re.compile(
    r"[_.-](?:fp16|fp32|bf16|u?int8|q4f16|q4|q8|quantized|bnb4|4bit|8bit|opt(?:imized)?|O[1-4])$", re.I
)
_TFLITE = (".tflite", ".task", ".litertlm")
PLAIN_TFLITE = ".bin"  # when its source says so
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack", ".keras", ".npz", ".pdparams")


def is_small(path: str) -> bool:
    """Configuration, tokenizer, template, licence: what a model needs beside its weights."""
    name = path.rpartition("/")[2].lower()
    return not name.endswith(_PICKLE_INDEXES) and (name.endswith(_SMALL) or bool(_SMALL_NAMES.fullmatch(name)))


def is_pickled(path: str) -> bool:
    """Weights that run code when they are loaded, or that only another framework reads: never taken."""
    return path.lower().endswith(_PICKLES) and core_ml_package(path) is None


def beside(chosen: Iterable[RemoteFile], files: Iterable[RemoteFile], *, below: str = "") -> tuple[RemoteFile, ...]:
    """`chosen`, and the small files that go with them: outside the folders that hold copies, or in their own folder."""
    taken = {file.path: file for file in chosen}
    folders = {path.rpartition("/")[0] for path in taken}
    for file in files:
        folder = file.path.rpartition("/")[0]
        if is_small(file.path) and (folder in folders or (not below and not _in_copies(file.path)) or not folder):
            taken[file.path] = file
    return tuple(taken[path] for path in sorted(taken))


def safetensors(files: Sequence[RemoteFile], *, below: str = "") -> list[RemoteFile]:
    """The weights in safetensors, each once. `below` names a folder whose own weights are wanted."""
    prefix = f"{below}/" if below else ""
    found = {
        file.path: file
        for file in files
        if file.path.lower().endswith(".safetensors")
        and file.path.startswith(prefix)
        and not _in_copies(file.path[len(prefix) :])
    }
    taken = {
        path: file for path, file in found.items() if path.rpartition("/")[0] not in _strangers(files, found, below)
    }
    for path in found:
        folder, _, name = path.rpartition("/")
        stem = name[: -len(".safetensors")]
        siblings = [other.rpartition("/")[2] for other in found if other != path and other.rpartition("/")[0] == folder]
        if _is_copy(stem, siblings):
            del taken[path]
    return [taken[path] for path in sorted(taken)]


def _strangers(files: Sequence[RemoteFile], found: Iterable[str], below: str) -> set[str]:
    """Folders that hold another whole model (another precision, most likely) beside the one at the top."""
    paths = {file.path for file in files}
    top = f"{below}/" if below else ""
    parts_of_one = f"{top}modules.json" in paths or f"{top}model_index.json" in paths
    whole = f"{top}config.json" in paths and any(path.rpartition("/")[0] == below for path in found)
    if parts_of_one or not whole:
        return set()
    return {
        folder for path in found if (folder := path.rpartition("/")[0]) != below and f"{folder}/config.json" in paths
    }


def _is_copy(stem: str, siblings: Sequence[str]) -> bool:
    """Whether another file of the same folder holds the same weights."""
    if stem.startswith("consolidated"):
        return any(name.startswith("model") for name in siblings)
    if _SHARD.search(stem):
        whole = f"{_SHARD.sub('', stem)}.safetensors"
        return whole in siblings
    if half := _HALF_COPY.search(stem):
        plain = stem[: half.start()]
        return any(_SHARD.sub("", name[: -len(".safetensors")]) == plain for name in siblings)
    return False


def model_folders(files: Iterable[RemoteFile]) -> list[str]:
    """Folders that each hold a model of their own, when the top of the repository holds none."""
    paths = {file.path for file in files}
    if "config.json" in paths or "model_index.json" in paths:
        return []
    weights = {path.rpartition("/")[0] for path in paths if path.endswith(".safetensors") and not _in_copies(path)}
    return sorted(folder for folder in weights if folder and f"{folder}/config.json" in paths)


def onnx(files: Iterable[RemoteFile], *, variant: str | None = None) -> list[RemoteFile]:
    """The graphs, one precision of each, and the weights that lie outside them. `variant` names a precision."""
    files = list(files)
    graphs: dict[str, list[RemoteFile]] = {}
    for file in files:
        if file.path.lower().endswith(_ONNX):
            graphs.setdefault(_ONNX_VARIANT.sub("", _without_suffix(file.path)), []).append(file)
    taken: list[RemoteFile] = []
    for base, group in sorted(graphs.items()):
        if variant is None:
            plain = [file for file in group if _without_suffix(file.path) == base]
            taken += plain[:1] or [min(group, key=lambda file: (file.size or 0, file.path))]
        else:
            taken += [file for file in group if onnx_variant(file.path) == variant.lower()]
    outside = [
        file
        for file in files
        if any(file.path.startswith((f"{graph.path}_data", f"{graph.path}.data")) for graph in taken)
    ]
    return [*taken, *outside]


def onnx_variant(path: str) -> str | None:
    """`onnx/model_q4f16.onnx` → q4f16."""
    found = _ONNX_VARIANT.search(_without_suffix(path))
    return found[0][1:].lower() if found and path.lower().endswith(_ONNX) else None


def core_ml_package(path: str) -> str | None:
    """The package that `path` is in: `Model.mlpackage` for `Model.mlpackage/Data/weights/weight.bin`."""
    parts = path.split("/")
    for depth, part in enumerate(parts, start=1):
        if part.lower().endswith(_CORE_ML_PACKAGES) and depth < len(parts):
            return "/".join(parts[:depth])
    return path if path.lower().endswith(".mlmodel") else None


def core_ml(files: Iterable[RemoteFile], *, package: str | None = None) -> list[RemoteFile]:
    """Every file of the packages, or of the one named."""
    return [
        file
        for file in files
        if (found := core_ml_package(file.path)) is not None and (package is None or found == package)
    ]


def tflite(files: Iterable[RemoteFile], *, plain: bool = False) -> list[RemoteFile]:
    """The smallest of the precisions on offer: phones, which these are for, have little memory.

    With `plain`, `.bin` files count: MediaPipe's graphs are called that, and a pickle is never loaded as one.
    """
    suffixes = (*_TFLITE, PLAIN_TFLITE) if plain else _TFLITE
    found = [file for file in files if file.path.lower().endswith(suffixes)]
    return [min(found, key=lambda file: (file.size or 0, file.path))] if found else []


def _in_copies(path: str) -> bool:
    return any(_COPIES.fullmatch(part) for part in path.split("/")[:-1])


def _without_suffix(path: str) -> str:
    return path.rpartition(".")[0]
