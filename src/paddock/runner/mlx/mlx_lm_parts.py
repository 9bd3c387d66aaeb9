"""mlx-lm by its parts: the loader and model code at once, the rest of it when somebody asks.

`import mlx_lm` brings its converter, its generator, a client for the hub and, with its tokenizers, all of transformers: three
quarters of the time that a small model takes to load, and fifty megabytes. A runner wants the loader and one model's code.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any, Final

_PACKAGE: Final = "mlx_lm"
_LAZY: Final = frozenset({"__version__", "__all__"})


def prefer_parts() -> None:
    """From now on `mlx_lm.utils` and `mlx_lm.models` are there without what they do not need.

    Call it before anything of mlx-lm is imported; later it does nothing.
    """
    spec = find_spec(_PACKAGE) if _PACKAGE not in sys.modules else None
    if spec is None or spec.loader is None:
        return  # whoever imports it learns why it is not there
    package, loader = module_from_spec(spec), spec.loader

    def complete(name: str) -> Any:
        """Somebody asks the package itself for something: now all of it is imported."""
        if name.startswith("__") and name not in _LAZY:
            raise AttributeError(name)
        vars(package).pop("__getattr__", None)
        loader.exec_module(package)
        return getattr(package, name)

    vars(package)["__getattr__"] = complete
    sys.modules[_PACKAGE] = package
    # The loader names these at its head, and calls them only for what a runner never asks of it.
    later = {
        f"{_PACKAGE}.tokenizer_utils": {"TokenizerWrapper": object, "load": _load_tokenizer},
        "huggingface_hub": {"snapshot_download": _snapshot_download},
    }
    with _standing_in(later):
        import_module(f"{_PACKAGE}.utils")


@contextmanager
def _standing_in(modules: dict[str, dict[str, Any]]) -> Generator[None]:
    """Within the block these stand for modules that are not imported yet."""
    absent = [name for name in modules if name not in sys.modules]
    for name in absent:
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(modules[name])
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def _load_tokenizer(*arguments: Any, **named: Any) -> Any:
    return import_module(f"{_PACKAGE}.tokenizer_utils").load(*arguments, **named)


def _snapshot_download(*arguments: Any, **named: Any) -> Any:
    return import_module("huggingface_hub").snapshot_download(*arguments, **named)
