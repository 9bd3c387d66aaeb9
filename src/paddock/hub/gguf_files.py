"""The GGUF files of a repository as a person sees them: one choice per quantization, whatever number of parts it has."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from paddock.hub.source import RemoteFile

# Best first: Q4_K_M, then what comes nearest to it in size and quality, larger before smaller.
_PREFERENCE = (
    "Q4_K_M", "UD-Q4_K_XL", "Q4_K_L", "Q4_K_XL", "Q4_K_S", "IQ4_NL", "Q4_1", "IQ4_XS", "Q4_0", "MXFP4", "MXFP4_MOE",
    "NVFP4", "Q5_K_M", "Q5_K_S", "UD-Q5_K_XL", "Q5_K_L", "Q5_0", "Q5_1", "Q3_K_L", "UD-Q3_K_XL", "Q3_K_XL", "Q3_K_M",
    "IQ3_M", "Q6_K", "Q6_K_L", "UD-Q6_K_XL", "Q3_K_S", "IQ3_S", "IQ3_XS", "Q8_0", "UD-Q8_K_XL", "IQ3_XXS", "Q2_K",
    "Q2_K_L", "UD-Q2_K_XL", "Q2_K_S", "IQ2_M", "IQ2_S", "BF16", "F16", "IQ2_XS", "IQ2_XXS", "F32", "IQ1_M", "IQ1_S",
    "TQ2_0", "TQ1_0",
)  # fmt: skip
_PROJECTOR_PREFERENCE = ("F16", "BF16", "Q8_0", "F32")
_LABEL = re.compile(
    r"(?:^|[-._/])(?P<label>(?:UD-)?(?:I?Q[1-8](?:_[A-Z0-9]+)*|TQ[12]_0|MXFP4(?:_MOE)?|NVFP4|BF16|FP?16|FP?32))"
    r"(?=$|[-._/])",
    re.IGNORECASE,
)
_PART = re.compile(r"-(?P<number>\d{5})-of-(?P<total>\d{5})$")
_SPELLINGS = {"FP16": "F16", "FP32": "F32"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One model of a repository: a file, or all parts of one that was split."""

    stem: str  # the path without part number and suffix
    label: str | None  # `Q4_K_M`, when the name says one
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        return sum(file.size or 0 for file in self.files)


def is_gguf(path: str) -> bool:
    return path.lower().endswith(".gguf")


def is_projector(path: str) -> bool:
    """A file that turns pictures into tokens for another GGUF."""
    return is_gguf(path) and "mmproj" in _name(path).lower()


def label_of(path: str) -> str | None:
    """`…-Q4_K_M-00001-of-00002.gguf` → Q4_K_M; the folder may say it when the name does not."""
    stem = _stem(path)
    for text in (_name(stem), stem.rpartition("/")[0]):
        found = list(_LABEL.finditer(text))
        if found:
            label = found[-1]["label"].upper()
            return _SPELLINGS.get(label, label)
    return None


def choices(files: Iterable[RemoteFile]) -> tuple[Choice, ...]:
    """Every model in GGUF, by path. Projectors and importance matrices are no models."""
    groups: dict[str, list[RemoteFile]] = {}
    for file in files:
        if is_gguf(file.path) and not is_projector(file.path) and "imatrix" not in _name(file.path).lower():
            groups.setdefault(_group(file.path), []).append(file)
    return tuple(
        Choice(_stem(parts[0].path), label_of(parts[0].path), tuple(sorted(parts, key=lambda file: file.path)))
        for _, parts in sorted(groups.items())
    )


def best(of: Sequence[Choice]) -> Choice:
    """The choice for someone who named none."""
    ranks = {label: rank for rank, label in enumerate(_PREFERENCE)}
    return min(of, key=lambda choice: (ranks.get(choice.label or "", len(ranks)), choice.size, choice.stem))


def projector_for(choice: Choice, files: Iterable[RemoteFile]) -> tuple[RemoteFile, ...]:
    """The projector that goes with `choice`, when there is one: from its own folder first, F16 before others."""
    folder = choice.files[0].path.rpartition("/")[0]
    ranks = {label: rank for rank, label in enumerate(_PROJECTOR_PREFERENCE)}
    found = sorted(
        (file for file in files if is_projector(file.path)),
        key=lambda file: (
            file.path.rpartition("/")[0] != folder,
            ranks.get(label_of(file.path) or "", len(ranks)),
            file.path,
        ),
    )
    return tuple(found[:1])


def _group(path: str) -> str:
    """The same for the parts of one split, different for splits into other numbers of parts."""
    bare = path[: -len(".gguf")]
    found = _PART.search(bare)
    return f"{bare[: found.start()]}\0{found['total']}" if found else bare


def _stem(path: str) -> str:
    return _PART.sub("", path[: -len(".gguf")])


def _name(path: str) -> str:
    return path.rpartition("/")[2]
