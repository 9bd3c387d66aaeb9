"""Where mlx-vlm begins: its functions with the types that its stubs leave out."""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportMissingTypeStubs=false

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, cast

LIBRARY: Final = "mlx_vlm"


def is_installed() -> bool:
    return find_spec(LIBRARY) is not None


def open_lazily(path: Path) -> Any:
    """An mlx-vlm Model whose weights are still on disk. Whoever calls has seen that the folder names no code of its own."""
    from mlx_vlm.utils import load_model

    return cast("Any", load_model)(path, lazy=True)


def read_processor(path: Path) -> Any:
    """What turns pictures into numbers; never runs code out of the folder, never asks the network."""
    from mlx_vlm.utils import load_processor

    return cast("Any", load_processor)(path, add_detokenizer=False, trust_remote_code=False, local_files_only=True)


def inputs_of(processor: Any, text: str, pictures: Sequence[Any]) -> dict[str, Any]:
    """What the model takes for `text` with these PIL images at its marks."""
    from mlx_vlm.utils import prepare_inputs

    return cast("Any", prepare_inputs)(processor, images=list(pictures), prompts=[text], add_special_tokens=False)
