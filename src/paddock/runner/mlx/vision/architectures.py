"""The models that see, and what is particular about each. What cannot page sees in the solo lane."""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    mark: str = "image_token"  # the processor's attribute with the word that templates write for a picture
    turns: bool = False  # positions depend on the pictures: each token has one along three axes
    deep: bool = False  # a picture's features are added behind the first layers, too


# By the package in mlx_vlm.models. Each has its cells in tests/runner/vision.
ARCHITECTURES: Final = {
    "gemma3": Architecture(mark="boi_token"),
    "idefics3": Architecture(),
    "llava": Architecture(),
    "mistral3": Architecture(),
    "pixtral": Architecture(),
    "qwen2_5_vl": Architecture(turns=True),
    "qwen2_vl": Architecture(turns=True),
    "qwen3_5": Architecture(turns=True),
    "qwen3_5_moe": Architecture(turns=True),
    "qwen3_vl": Architecture(turns=True, deep=True),
    "qwen3_vl_moe": Architecture(turns=True, deep=True),
    "smolvlm": Architecture(),
}


def package_of(model: Any) -> str:
    """`llava` for an instance of `mlx_vlm.models.llava.llava.Model`."""
    return type(model).__module__.split(".")[2]


def place_token_of(model: Any) -> int | None:
    """The token that a picture's features take the place of, as the model's config has it."""
    for name in ("image_token_index", "image_token_id"):
        token = getattr(model.config, name, None)
        if isinstance(token, int) and token >= 0:
            return token
    return None
