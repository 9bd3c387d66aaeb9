"""Which of a model's files are its weights, whether all parts are there, and what a GGUF file is called.

Pure functions over names: nothing is opened.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from paddock.hub.gguf_files import is_gguf, is_projector, label_of
from paddock.hub.weight_files import is_pickled

_FOLDER_WEIGHTS = frozenset(
    {
        *(".safetensors", ".npz", ".onnx", ".ort", ".tflite", ".task", ".litertlm", ".mlmodel"),
        *(".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack"),
    }
)
# `.bin` also ends small files that are no weights.
_NOT_WEIGHTS = re.compile(r"(?:training_args|optimizer|scheduler|rng_state|tokenizer|vocab)[\w.-]*", re.IGNORECASE)
_SPLIT = re.compile(r"(?P<stem>.+)-(?P<part>\d{5})-of-(?P<parts>\d{5})(?P<suffix>\.[A-Za-z0-9]+)")
# Beside a model, never a model: the vision half, calibration data, a draft head.
_COMPANION = re.compile(r"mmproj|imatrix|(?:^|[-_])mtp-", re.IGNORECASE)
PARTS_MAX = 2000


@dataclass(frozen=True, slots=True)
class GgufGroup:
    """One GGUF model: a file, or all parts of a split one in order."""

    stem: str  # the name without parts and suffix, folders included
    paths: tuple[str, ...]

    @property
    def quantization(self) -> str | None:
        """`Q4_K_M` and the like, as a pull would spell it."""
        return label_of(self.paths[0])


def folder_weights(paths: Iterable[str]) -> list[str]:
    """The weight files that make a folder a model: everything but GGUF, whose files are models of their own.

    Pickles count only where there is nothing else; beside safetensors they are a copy that nobody may load.
    """
    weights = [path for path in paths if _is_folder_weight(path)]
    return [path for path in weights if not is_pickled(path)] or weights


def missing_parts(paths: Iterable[str]) -> list[str]:
    """Parts of split weights (`…-00002-of-00003.safetensors`) whose siblings are here and which are not."""
    present = set(paths)
    missing: list[str] = []
    for stem, suffix, parts in {series for path in present if (series := _series(path))}:
        expected = (f"{stem}-{part:05d}-of-{parts:05d}{suffix}" for part in range(1, min(parts, PARTS_MAX) + 1))
        missing.extend(path for path in expected if path not in present)
    return sorted(missing)


def gguf_groups(paths: Iterable[str]) -> list[GgufGroup]:
    """The GGUF models among `paths`, complete or not, in order of name."""
    groups: dict[str, list[str]] = {}
    for path in sorted(paths):
        if is_gguf(path) and not _COMPANION.search(_file_name(path)):
            found = _SPLIT.fullmatch(path)
            groups.setdefault(found["stem"] if found else path[: -len(".gguf")], []).append(path)
    return [GgufGroup(stem, tuple(members)) for stem, members in groups.items()]


def selectors(groups: list[GgufGroup], *, alone: bool) -> list[str | None]:
    """What tells each group from its siblings: nothing when it is `alone`, its quantization, else its file's path."""
    if alone and len(groups) == 1:
        return [None]
    quantizations = [group.quantization for group in groups]
    return [
        quantization if quantization and quantizations.count(quantization) == 1 else group.paths[0]
        for group, quantization in zip(groups, quantizations, strict=True)
    ]


def projector_for(group: GgufGroup, paths: Iterable[str]) -> str | None:
    """The vision half for `group`: from its own folder or one above, in half precision when there are several."""
    folder = PurePosixPath(group.paths[0]).parent
    near = [path for path in paths if is_projector(path) and folder.is_relative_to(PurePosixPath(path).parent)]

    def rank(path: str) -> tuple[int, int, str]:
        name = path.lower()
        precision = 1 if "bf16" in name else 0 if "f16" in name else 2
        return (-path.count("/"), precision, path)

    return min(near, key=rank, default=None)


def _is_folder_weight(path: str) -> bool:
    name = _file_name(path)
    _, dot, suffix = name.rpartition(".")
    return dot + suffix.lower() in _FOLDER_WEIGHTS and not _NOT_WEIGHTS.fullmatch(name)


def _series(path: str) -> tuple[str, str, int] | None:
    found = _SPLIT.fullmatch(path)
    return (found["stem"], found["suffix"], int(found["parts"])) if found else None


def _file_name(path: str) -> str:
    return path.rpartition("/")[2]
