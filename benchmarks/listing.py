"""How long `paddock list` takes with 500 models on the disk: a whole process, with earlier records or without."""

import json
import shutil
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Result, run

PADDOCK = str(Path(sys.executable).parent / "paddock")
MODELS = 500
RUNS = 5


def main() -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        make_cache(home / "hf" / "hub", MODELS)
        environment = {"PADDOCK_HOME": str(home / "paddock"), "HF_HOME": str(home / "hf"), "HOME": folder}
        first: list[float] = []
        later: list[float] = []
        for _ in range(RUNS):
            shutil.rmtree(home / "paddock", ignore_errors=True)
            for times in (first, later):
                start = time.perf_counter()
                run([PADDOCK, "list"], environment)
                times.append(time.perf_counter() - start)
    yield Result(f"paddock list, {MODELS} models, a new process", statistics.median(later), "s", 1.0)
    yield Result(f"paddock list, {MODELS} models, the very first look", statistics.median(first), "s", 3.0)


def make_cache(cache: Path, models: int) -> None:
    """A Hugging Face cache of many small models: real layout, real headers, hardly any weights."""
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 8192,
        "vocab_size": 128,
    }
    header = json.dumps({"model.embed_tokens.weight": {"dtype": "F16", "shape": [4, 8], "data_offsets": [0, 64]}})
    files = {
        "config.json": json.dumps(config).encode(),
        "model.safetensors": struct.pack("<Q", len(header)) + header.encode() + bytes(64),
        "tokenizer.json": b"{}",
        "tokenizer_config.json": b'{"model_max_length": 8192}',
    }
    for number in range(models):
        repository = cache / f"models--bench--model-{number:04d}"
        commit = f"{number:040x}"
        snapshot = repository / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (repository / "blobs").mkdir()
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(commit)
        for at, (name, data) in enumerate(files.items()):
            blob = f"{number:036x}{at:04x}"
            (repository / "blobs" / blob).write_bytes(data)
            (snapshot / name).symlink_to(f"../../blobs/{blob}")
