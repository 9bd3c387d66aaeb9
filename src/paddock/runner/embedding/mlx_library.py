"""mlx-embeddings' model code, without the rest of that package.

Importing the package the usual way takes seconds and brings transformers and mlx-vlm along, for its converter and loaders,
which are not needed here. So the package is entered by its folder, and only the module of one architecture is imported.
"""

import importlib.util
import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from paddock.errors import Incompatible

_PACKAGE: Final = "mlx_embeddings"
_INSTALL: Final = "Install them: `pip install paddock[embeddings]`."
# Architectures by the module that runs them. The library has more: models of pictures, and such that make many vectors.
MODULES: Final[Mapping[str, str]] = {
    "bert": "bert",
    "xlm_roberta": "xlm_roberta",
    "roberta": "xlm_roberta",
    "camembert": "xlm_roberta",
    "modernbert": "modernbert",
    "qwen3": "qwen3",
    "gemma3_text": "gemma3_text",
    "llama_bidirec": "llama_bidirec",
}


def model_module(architecture: str, name: str) -> Any:
    """The module with `Model` and `ModelArgs`. Raises Incompatible."""
    module = MODULES.get(architecture)
    if module is None:
        raise Incompatible(
            f"`{name}` is of architecture `{architecture}`, of which no embeddings are made here.",
            hint=f"Take one of {', '.join(sorted(MODULES))}, or the same model as GGUF or ONNX.",
        )
    _enter(name)
    try:
        return import_module(f"{_PACKAGE}.models.{module}")
    except ImportError as error:
        raise Incompatible(f"What runs `{name}` is not installed: {error.name}.", hint=_INSTALL) from error


def _enter(name: str) -> None:
    if _PACKAGE in sys.modules:
        return
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        raise Incompatible(f"The libraries that run `{name}` are not installed.", hint=_INSTALL)
    package = ModuleType(_PACKAGE)
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    sys.modules[_PACKAGE] = package
