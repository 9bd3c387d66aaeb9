"""GGUF files that the tests write, each once."""

from pathlib import Path

import pytest

from paddock.app import BUILTIN_MODELS
from tests.runner.llamacpp.writing import F32, as_gguf


@pytest.fixture(scope="session")
def pony_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in model as one file, in float32."""
    return as_gguf(BUILTIN_MODELS / "pony", tmp_path_factory.mktemp("gguf") / "pony.gguf", F32)
