"""Tokens that other tools have stored on this machine, so that nobody logs in twice."""

import json
from typing import Any

from paddock.config.layers import Layer, Origin, Setting
from paddock.config.paths import Paths

FILE_BYTES_MAX = 16_384


def stored_credentials(paths: Paths) -> Layer:
    """What `hf auth login` and Kaggle keep. A file that cannot be read is a warning, for most commands need none."""
    layer = Layer()
    token = _read(paths.huggingface_token, layer)
    if token and token.strip():
        layer.settings.append(Setting(("hub", "token"), token.strip(), Origin(str(paths.huggingface_token))))
    text = _read(paths.kaggle_credentials, layer)
    if text is not None:
        _kaggle(text, paths, layer)
    return layer


def _kaggle(text: str, paths: Paths, layer: Layer) -> None:
    origin = Origin(str(paths.kaggle_credentials))
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        layer.warnings.append(
            f"`{origin}` is not what Kaggle writes and is ignored. Fetch a new one from your settings there."
        )
        return
    for name, setting in (("username", "kaggle_username"), ("key", "kaggle_key")):
        value: Any = found.get(name)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] (JSON)
        if isinstance(value, str) and value:
            layer.settings.append(Setting(("hub", setting), value, origin))


def _read(path: Any, layer: Layer) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX).decode()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError):
        layer.warnings.append(f"`{path}` cannot be read; going on without the token in it.")
        return None
