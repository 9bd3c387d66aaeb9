"""The tables that detection looks things up in, read once from `data/traits.json`."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Traits:
    """Words that give a capability away. See the data file for where each comes from."""

    vision_fields: frozenset[str]
    vision_architectures: frozenset[str]
    image_embedding_architectures: frozenset[str]
    embedding_architectures: frozenset[str]
    vision_tensors: tuple[str, ...]
    hub: dict[str, frozenset[str]]
    name: dict[str, frozenset[str]]


@cache
def traits() -> Traits:
    told: dict[str, Any] = json.loads(files("paddock.catalog").joinpath("data/traits.json").read_text("utf-8"))
    return Traits(
        frozenset(told["vision_fields"]),
        frozenset(told["vision_architectures"]),
        frozenset(told["image_embedding_architectures"]),
        frozenset(told["embedding_architectures"]),
        tuple(told["vision_tensors"]),
        {key: frozenset(words) for key, words in told["hub"].items()},
        {key: frozenset(words) for key, words in told["name"].items()},
    )


def normalised_architecture(architecture: str) -> str:
    """`Qwen2-VL` and `qwen2_vl` are one."""
    return architecture.strip().lower().replace("-", "_").replace(".", "_")
