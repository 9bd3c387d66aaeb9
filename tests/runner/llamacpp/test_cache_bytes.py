"""What a plan says that a GGUF model keeps of a conversation is what llama.cpp takes for it."""

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from paddock.app import BUILTIN_MODELS
from paddock.catalog.facts import Facts
from paddock.catalog.sizing import Device, estimate_memory
from paddock.runner.llamacpp import seam
from paddock.runner.llamacpp.bounds import bytes_per_token
from paddock.runner.llamacpp.cache import Cache
from paddock.runner.llamacpp.files import read_files
from paddock.runner.llamacpp.weights import load_weights
from paddock.vocabulary import ModelFormat
from tests.runner.llamacpp.writing import F32, random_model

WINDOW = 4096
KINDS: dict[str, dict[str, Any]] = {
    "llama": {},
    "llama with a window in its header": {"sliding_window": 128},  # which llama.cpp does not heed
    "gemma2": {"sliding_window": 128},
    "gemma3": {"sliding_window": 128, "layers": 7},
    "cohere2": {"sliding_window": 128, "layers": 4},
    "qwen2": {"layers": 3},
}


@pytest.fixture
def said() -> Generator[list[str]]:
    """All that llama.cpp tells of itself."""
    lines: list[str] = []
    callback = seam._Told(lambda level, text, data: lines.append((text or b"").decode("utf-8", "replace")))  # pyright: ignore[reportPrivateUsage]  (the form of a function in C)
    seam.library().llama_log_set(callback, None)
    yield lines
    seam.library().llama_log_set(seam.LINES.callback, None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_cache_takes_what_was_predicted(tmp_path: Path, said: list[str], kind: str) -> None:
    """Layers that see a window keep everything, too: beginnings are shared, and what lies behind one is dropped."""
    claims = {"max_position_embeddings": WINDOW, **KINDS[kind]}
    path = random_model(tmp_path / "m.gguf", kind.split()[0], F32, tokenizer=BUILTIN_MODELS / "pony", **claims)
    files = read_files(path, "m")
    weights = load_weights(files, {"threads": 1})
    said.clear()
    cache = Cache(weights, slots=2, window=WINDOW, step_tokens_max=512, outputs_max=1)
    cache.close()
    weights.free()
    taken = sum(float(each) for line in said for each in re.findall(r"KV buffer size = *([0-9.]+) MiB", line)) * 2**20
    assert taken == pytest.approx(2 * WINDOW * bytes_per_token(files), abs=6000)  # it tells two digits of a MiB
    facts = Facts(format=ModelFormat.GGUF, context_window=WINDOW)
    told = estimate_memory(facts=facts, device=Device.CPU, gguf=files.header)
    assert told is not None
    assert told.kv_bytes(WINDOW, streams=2) == 2 * WINDOW * bytes_per_token(files)


def test_a_model_computes_with_as_many_threads_as_it_is_told(tmp_path: Path) -> None:
    files = read_files(random_model(tmp_path / "m.gguf", "llama", F32, tokenizer=BUILTIN_MODELS / "pony"), "m")
    told, left = load_weights(files, {"threads": 3, "n_gpu_layers": 0}), load_weights(files, {})
    assert (told.threads, left.threads >= 1) == (3, True)
    told.free()
    left.free()
